//! Types of VPP's API for multicast routes.

use super::fib_types::fib_path;

crate::api! {
    /// The file `mfib_types.api`.
    file MFIB_TYPES = "mfib_types", [1, 0, 0], 0xd2b57aaf;
    enum mfib_entry_flags: u32 {
        MFIB_API_ENTRY_FLAG_NONE = 0,
        MFIB_API_ENTRY_FLAG_SIGNAL = 1,
        MFIB_API_ENTRY_FLAG_DROP = 2,
        MFIB_API_ENTRY_FLAG_CONNECTED = 4,
        MFIB_API_ENTRY_FLAG_ACCEPT_ALL_ITF = 8,
    };
    enum mfib_itf_flags: u32 {
        MFIB_API_ITF_FLAG_NONE = 0,
        MFIB_API_ITF_FLAG_NEGATE_SIGNAL = 1,
        MFIB_API_ITF_FLAG_ACCEPT = 2,
        MFIB_API_ITF_FLAG_FORWARD = 4,
        MFIB_API_ITF_FLAG_SIGNAL_PRESENT = 8,
        MFIB_API_ITF_FLAG_DONT_PRESERVE = 16,
    };
    record mfib_path { itf_flags: mfib_itf_flags, path: fib_path };
}
