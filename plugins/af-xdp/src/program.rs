//! The program on the host's interface: it gives packets of a receive queue to the socket of that queue, and leaves those of queues
//! without one to the host.

use std::{io, os::fd::AsRawFd};

use crate::{
    abi::Instruction,
    bpf::{Program, SocketMap},
};

/// The name of the program and of its map, as bpftool shows them.
pub(crate) const NAME: &str = "peloton_xsk";

/// What an XDP program returns to leave a packet to the host.
const XDP_PASS: i32 = 2;
/// The helper that sends a packet to an entry of a map, or returns its third argument where there is none.
const REDIRECT_MAP: i32 = 51;
/// Where `struct xdp_md` has the number of the receive queue.
const RX_QUEUE_INDEX: i16 = 16;

/// `dst = *(u32 *)(src + offset)`.
const LOAD_WORD: u8 = 0x61;
/// `dst = 64 bits`, of which the next instruction has the upper half.
const LOAD_IMMEDIATE: u8 = 0x18;
/// `dst = immediate`.
const MOVE: u8 = 0xb7;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
/// The source of [`LOAD_IMMEDIATE`] when its immediate is the descriptor of a map.
const MAP_FD: u8 = 1;

/// Loads the program.
pub(crate) fn load(map: &SocketMap) -> io::Result<Program> {
    Program::load(NAME, &instructions(map.as_raw_fd()))
}

/// `return bpf_redirect_map(map, context->rx_queue_index, XDP_PASS)`.
fn instructions(map: i32) -> [Instruction; 6] {
    let instruction = |code, destination: u8, source: u8, offset, immediate| Instruction {
        code,
        registers: source << 4 | destination,
        offset,
        immediate,
    };
    [
        instruction(LOAD_WORD, 2, 1, RX_QUEUE_INDEX, 0),
        instruction(LOAD_IMMEDIATE, 1, MAP_FD, 0, map),
        Instruction::default(),
        instruction(MOVE, 3, 0, 0, XDP_PASS),
        instruction(CALL, 0, 0, 0, REDIRECT_MAP),
        instruction(EXIT, 0, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use zerocopy::IntoBytes;

    use super::*;

    #[test]
    fn the_program_is_encoded_as_rfc_9669_has_it() {
        // Worked by hand from its sections 3 to 5: opcode, registers, offset, immediate. The map has descriptor 5.
        let expected: [u64; 6] = [
            0x0000_0000_0010_1261,
            0x0000_0005_0000_1118,
            0,
            0x0000_0002_0000_03b7,
            0x0000_0033_0000_0085,
            0x95,
        ];
        assert_eq!(instructions(5).as_bytes(), expected.as_bytes());
    }
}
