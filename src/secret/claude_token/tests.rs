use super::super::CredentialsFile;
use super::super::codex_fixtures::base64;
use super::*;

fn token(kind: &str, length: usize) -> String {
    let filler = "Ab1_-".chars().cycle();
    format!("sk-ant-{kind}-{}", filler.take(length).collect::<String>())
}

/// As long as the real ones.
fn oat() -> String {
    token("oat01", 95)
}

fn parse(text: &str) -> Result<Checked<ClaudeToken>, Finding> {
    ClaudeToken::parse(&SecretString::from(text))
}

fn wrap(text: &str, columns: usize, before: &str, end: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let line = |line: &[char]| [before, &line.iter().collect::<String>(), end].concat();
    characters.chunks(columns).map(line).collect()
}

fn repaired(name: &str, text: &str, repairs: &[&str]) {
    let checked = parse(text).unwrap_or_else(|finding| panic!("{name}: {finding:?}"));
    assert_eq!(checked.repairs, repairs, "{name}");
    assert_eq!(reveal(checked.value.expose()), oat(), "{name}");
}

#[test]
fn certain_repairs() {
    let oat = oat();
    let wrapped = &["line breaks inside"];
    repaired("plain", &oat, &[]);
    repaired("newline", &format!(" {oat}\r\n"), &[]);
    repaired("double quotes", &format!("\"{oat}\"\n"), &["quotes around it"]);
    repaired("single quotes", &format!("'{oat}'"), &["quotes around it"]);
    repaired("backquotes", &format!("`{oat}`"), &["quotes around it"]);
    repaired("nested quotes", &format!("'\"{oat}\"'"), &["quotes around it"]);
    repaired("bearer", &format!("Bearer {oat}"), &["Bearer prefix"]);
    let header = &["header name before it", "Bearer prefix"];
    repaired("header", &format!("authorization: bearer  {oat}"), header);
    let quoted_header = ["quotes around it", "header name before it", "Bearer prefix"];
    repaired("quoted header", &format!("\"Authorization: Bearer {oat}\""), &quoted_header);
    let assigned = &["assignment before it"];
    repaired("export", &format!("export CLAUDE_CODE_OAUTH_TOKEN={oat}"), assigned);
    repaired(
        "dotenv",
        &format!("CLAUDE_CODE_OAUTH_TOKEN=\"{oat}\""),
        &["assignment before it", "quotes around it"],
    );
    repaired(
        "zero-width",
        &format!("\u{200b}{}\u{2060}{}", &oat[..50], &oat[50..]),
        &["zero-width characters"],
    );
    repaired("mark", &format!("\u{feff}{oat}"), &["byte order mark"]);
    repaired("no-break space", &format!("\u{a0}{oat}\u{a0}"), &[]);
    repaired("literal newline", &format!("{oat}\\n"), &["literal \\n"]);
    repaired("literal CRLF", &format!("{oat}\\r\\n"), &["literal \\n"]);
    repaired("base64", &base64(&oat), &["base64 wrapping"]);
    repaired("base64 with newline", &base64(&format!("{oat}\n")), &["base64 wrapping"]);
    for columns in [20, 40, 54, 80, 100, 107] {
        repaired("wrapped", &wrap(&oat, columns, "", "\n"), wrapped);
        repaired("wrapped and indented", &wrap(&oat, columns, "  ", " \r\n"), wrapped);
    }
    let quoted = format!("\"{}\"", wrap(&oat, 80, "", "\n"));
    repaired("wrapped in quotes", &quoted, &["quotes around it", "line breaks inside"]);
    repaired("double newline", &wrap(&oat, 80, "", "\n\n"), wrapped);
    let next = token("oat02", 95);
    assert_eq!(reveal(parse(&next).unwrap().value.expose()), next);
}

#[test]
fn refused_by_name() {
    let oat = oat();
    let (after, before) =
        ("it contains other text after the token", "it contains other text before the token");
    let truncated = "it is truncated: only its beginning is there";
    let credentials = "a whole `.credentials.json`: its login expires after hours and its refresh token can be used once";
    let path = "it is the path of a file, not the content";
    let file = format!(
        r#"{{"claudeAiOauth":{{"accessToken":"{oat}","refreshToken":"{}"}}}}"#,
        token("ort01", 95)
    );
    let uneven = format!("{}\n{}\n{}", &oat[..40], &oat[40..50], &oat[50..]);
    let table: Vec<(String, &str)> = vec![
        (
            token("api03", 95),
            "an API key of Anthropic, which is billed by use, not a subscription's token",
        ),
        (
            token("ort01", 95),
            "a refresh token, which can be used once and then logs out its other users",
        ),
        (token("admin01", 95), "an administration key of Anthropic"),
        (token("sid01", 95), "the session cookie of a browser"),
        (token("oat1", 95), "a key of Anthropic of another kind"),
        (["sk", "proj", &"F".repeat(40)].join("-"), "an API key, not a token of Claude Code"),
        (file.clone(), credentials),
        (base64(&file), credentials),
        (r#"{"a":1}"#.into(), "a JSON document, not a token"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----".into(), "a key block, not a token"),
        ("{{ token }}".into(), "it is a template expression that was not evaluated"),
        ("${var.token}".into(), "it is a template expression that was not evaluated"),
        ("null".into(), "it is a word for an empty value, such as null"),
        ("~/token".into(), path),
        ("abcDEF123#state_1".into(), "the code that the browser showed, not the token"),
        ("hunter2".into(), "it does not begin as a token of `claude setup-token` does"),
        (format!("my token: {oat}"), before),
        (format!("OTHER={oat}"), before),
        (format!("{oat}\nStore this token securely."), after),
        (format!("{oat}\nabc"), after),
        (format!("{oat} abc"), "it contains a space"),
        (uneven, after),
        (format!("{}\n{}", &oat[..40], &oat[40..]), after),
        (format!("{}\n{}\n{}", &oat[..40], &oat[40..50], &oat[50..80]), after),
        (format!("{oat}\n{oat}"), "more than one token in it"),
        (oat.replace("Ab", "A\u{e9}"), "it contains characters that are not allowed in a token"),
        (
            oat.replace("Ab", "A\u{1b}[31m"),
            "it contains characters that are not allowed in a token",
        ),
        (format!("{oat}\0"), "it contains a NUL byte"),
        (oat.replace("Ab", "A%"), "it contains characters that are not allowed in a token"),
        (format!("{oat}\""), "it contains characters that are not allowed in a token"),
        (token("oat01", MIN_BODY - 1), truncated),
        (token("oat01", 0), truncated),
        ("x".repeat(MAX_TOKEN + 1), "it is longer than 16 KiB"),
    ];
    for (text, reason) in table {
        let finding =
            parse(&text).err().unwrap_or_else(|| panic!("accepted where expected: {reason}"));
        assert_eq!((finding.code, &*finding.summary), (Code::ClaudeTokenMalformed, reason));
    }
    assert!(parse(&token("oat01", MIN_BODY)).is_ok());
}

#[test]
fn the_file_that_claude_code_reads() {
    let token = parse(&oat()).unwrap().value;
    let file: serde_json::Value = serde_json::from_str(reveal(&token.credentials_json())).unwrap();
    let expected = serde_json::json!({"claudeAiOauth": {
        "accessToken": oat(), "refreshToken": null, "expiresAt": null, "scopes": ["user:inference"],
    }});
    assert_eq!(file, expected);
    let entry: serde_json::Value = serde_json::from_str(reveal(&token.oauth_json())).unwrap();
    assert_eq!(entry, expected["claudeAiOauth"]);
    let read = CredentialsFile::parse(reveal(&token.credentials_json()).as_bytes());
    assert_eq!(
        read,
        CredentialsFile::SetupToken {
            digest: token.digest(),
            inference: true,
            form: TokenForm::Right { digest: token.digest() }
        }
    );
    assert_eq!(token.digest(), sha256(oat().as_bytes()));
    assert_eq!(sha256(b"").get(..16), Some("e3b0c44298fc1c14"));
}

proptest::proptest! {
    #[test]
    fn nothing_panics(text in "\\PC{0,80}", tail in "[ \\\\nr\"'A-z-]{0,40}") {
        let _ = parse(&text);
        let _ = parse(&format!("sk-ant-oat{tail}"));
    }

    /// Whatever is accepted is a token and nothing else, and needs no repair a second time.
    #[test]
    fn accepted_once_accepted_again(mutated in "[ \n\"A-Za-z0-9_-]{0,10}", at in 0_usize..108) {
        let mut text = oat();
        text.insert_str(at, &mutated);
        if let Ok(checked) = parse(&text) {
            let token = reveal(checked.value.expose()).to_owned();
            proptest::prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            proptest::prop_assert!(parse(&token).unwrap().repairs.is_empty());
        }
    }
}

#[test]
fn a_token_as_long_as_a_line_of_a_terminal_may_be_cut() {
    for (length, is_cut) in
        [(108, false), (80, true), (78, true), (100, true), (73, false), (85, false), (93, false)]
    {
        let token = format!("{:x<length$}", "sk-ant-oat01-");
        let checked = ClaudeToken::parse(&token.into()).unwrap();
        assert_eq!(checked.value.may_be_cut(), is_cut, "{length}");
    }
}
