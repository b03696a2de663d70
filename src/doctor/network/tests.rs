use super::*;

#[test]
fn a_version_is_read_from_what_the_client_prints() {
    for (text, expected) in [
        ("2.1.330 (Claude Code)\n", Some([2, 1, 330])),
        ("codex-cli 0.169.0", Some([0, 169, 0])),
        ("2.1.330-beta.1", Some([2, 1, 330])),
        ("2.1", None),
        ("", None),
    ] {
        assert_eq!(version(text), expected, "{text}");
    }
}
