#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peloton_tests::fuzz::gro(data));
