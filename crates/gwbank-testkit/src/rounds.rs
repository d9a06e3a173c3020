/// How many rounds a long test shall run: `GWBANK_TEST_ROUNDS`, or `default` for a quick look.
pub fn test_rounds(default: u32) -> u32 {
    std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(default)
}

/// The one seed to run, for a failure that is looked into: `GWBANK_TEST_SEED`.
pub fn test_seed() -> Option<u64> {
    std::env::var("GWBANK_TEST_SEED").ok().and_then(|seed| seed.parse().ok())
}
