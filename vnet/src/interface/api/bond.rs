//! Bonds: their messages, since clients ask for bonds before anything else. There are none.

use crate::api::{Api, ethernet_types::mac_address, interface_types::interface_index};

crate::api! {
    /// The file `bond.api`.
    file BOND = "bond", [2, 1, 0], 0xa03f5330;
    enum bond_mode: u32 {
        BOND_API_MODE_ROUND_ROBIN = 1,
        BOND_API_MODE_ACTIVE_BACKUP = 2,
        BOND_API_MODE_XOR = 3,
        BOND_API_MODE_BROADCAST = 4,
        BOND_API_MODE_LACP = 5,
    };
    enum bond_lb_algo: u32 {
        BOND_API_LB_ALGO_L2 = 0,
        BOND_API_LB_ALGO_L34 = 1,
        BOND_API_LB_ALGO_L23 = 2,
        BOND_API_LB_ALGO_RR = 3,
        BOND_API_LB_ALGO_BC = 4,
        BOND_API_LB_ALGO_AB = 5,
    };
    call bond_create = 0xf1dbd4ff {
        id: u32 = 4294967295,
        use_custom_mac: bool,
        mac_address: mac_address,
        mode: bond_mode,
        lb: bond_lb_algo,
        numa_only: bool,
    }
        -> bond_create_reply = 0x5383d31f { sw_if_index: interface_index };
    call bond_create2 = 0x912fda76 {
        mode: bond_mode,
        lb: bond_lb_algo,
        numa_only: bool,
        enable_gso: bool,
        use_custom_mac: bool,
        mac_address: mac_address,
        id: u32 = 4294967295,
    }
        -> bond_create2_reply = 0x5383d31f { sw_if_index: interface_index };
    call bond_delete = 0xf9e6675e { sw_if_index: interface_index }
        -> bond_delete_reply = 0xe8d4e804 {};
    call bond_enslave = 0xe7d14948 {
        sw_if_index: interface_index,
        bond_sw_if_index: interface_index,
        is_passive: bool,
        is_long_timeout: bool,
    }
        -> bond_enslave_reply = 0xe8d4e804 {};
    call bond_add_member = 0xe7d14948 {
        sw_if_index: interface_index,
        bond_sw_if_index: interface_index,
        is_passive: bool,
        is_long_timeout: bool,
    }
        -> bond_add_member_reply = 0xe8d4e804 {};
    call bond_detach_slave = 0xf9e6675e { sw_if_index: interface_index }
        -> bond_detach_slave_reply = 0xe8d4e804 {};
    call bond_detach_member = 0xf9e6675e { sw_if_index: interface_index }
        -> bond_detach_member_reply = 0xe8d4e804 {};
    dump sw_interface_bond_dump = 0x51077d14 {}
        -> sw_interface_bond_details = 0xbb7c929b {
        sw_if_index: interface_index,
        id: u32,
        mode: bond_mode,
        lb: bond_lb_algo,
        numa_only: bool,
        active_slaves: u32,
        slaves: u32,
        interface_name: [string; 64],
    };
    dump sw_bond_interface_dump = 0xf9e6675e { sw_if_index: interface_index = 4294967295 }
        -> sw_bond_interface_details = 0x9428a69c {
        sw_if_index: interface_index,
        id: u32,
        mode: bond_mode,
        lb: bond_lb_algo,
        numa_only: bool,
        active_members: u32,
        members: u32,
        interface_name: [string; 64],
    };
    dump sw_interface_slave_dump = 0xf9e6675e { sw_if_index: interface_index }
        -> sw_interface_slave_details = 0x3c4a0e23 {
        sw_if_index: interface_index,
        interface_name: [string; 64],
        is_passive: bool,
        is_long_timeout: bool,
        is_local_numa: bool,
        weight: u32,
    };
    dump sw_member_interface_dump = 0xf9e6675e { sw_if_index: interface_index }
        -> sw_member_interface_details = 0x3c4a0e23 {
        sw_if_index: interface_index,
        interface_name: [string; 64],
        is_passive: bool,
        is_long_timeout: bool,
        is_local_numa: bool,
        weight: u32,
    };
    call sw_interface_set_bond_weight = 0xdeb510a0 { sw_if_index: interface_index, weight: u32 }
        -> sw_interface_set_bond_weight_reply = 0xe8d4e804 {};
}

pub(super) fn register(api: &mut Api) {
    api.file(&BOND);
}
