#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pushready::parsers::run(env!("CARGO_BIN_NAME"), bytes));
