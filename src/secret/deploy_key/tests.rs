use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use super::*;
use Code::{
    KeyEncrypted as Encrypted, KeyFormatUnsupported as Unsupported, KeyMalformed as Malformed,
    KeyWeak as Weak,
};

fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the real tool writes, by its arguments.
fn made(program: &str, arguments: &[&str], file: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    run(program, arguments, folder.path());
    std::fs::read_to_string(folder.path().join(file)).unwrap()
}

fn keygen(arguments: &[&str]) -> String {
    made("ssh-keygen", &[&["-q", "-f", "k"], arguments].concat(), "k")
}

static KEY: LazyLock<String> =
    LazyLock::new(|| keygen(&["-t", "ed25519", "-N", "", "-C", "tests!"]));

fn parse(text: &str) -> Result<Checked<DeployKey>, Finding> {
    DeployKey::parse(&SecretString::from(text))
}

#[test]
fn a_key_as_it_is_installed_is_canonical() {
    for kind in
        [&["-t", "ed25519"][..], &["-t", "rsa", "-b", "2048"], &["-t", "ecdsa", "-b", "521"]]
    {
        let text = keygen(&[kind, &["-N", "", "-C", "a comment"]].concat());
        let key = parse(&text).unwrap().value;
        assert!(canonical(reveal(key.openssh())).is_some(), "{kind:?}");
        for other in [format!(" {text}"), text.replace('\n', "\r\n"), text.trim_end().to_owned()] {
            assert!(canonical(&other).is_none(), "{kind:?}");
        }
    }
}

/// What is taken as it is, is what we would have written: no other text of the same bytes is.
#[test]
fn a_canonical_text_is_as_we_write_it() {
    // containers that end in no, one and two characters of padding
    for length in 96..99 {
        let blob = [MAGIC, &vec![0xa5; length]].concat();
        let text = reveal(&to_openssh(&blob)).to_owned();
        assert_eq!(canonical(&text).as_deref(), Some(&blob));
        for at in 0..text.len() {
            for to in ["", "\n", "=", "A", "p", "l", "Q", "w"] {
                for other in [
                    format!("{}{to}{}", &text[..at], &text[at..]),
                    format!("{}{to}{}", &text[..at], &text[at + 1..]),
                ] {
                    if let Some(blob) = canonical(&other) {
                        assert_eq!(reveal(&to_openssh(&blob)), other);
                    }
                }
            }
        }
        for layout in ["\n\n", " ", "", "\r\n"] {
            let body = text[BEGIN.len()..text.len() - END.len()].replace('\n', layout);
            assert!(canonical(&format!("{BEGIN}{body}{END}")).is_none(), "{layout:?}");
        }
    }
    assert!(canonical(&format!("{BEGIN}{END}")).is_none());
    assert!(canonical(&format!("{BEGIN}\n{END}")).is_none());
}

/// The real ssh-keygen loads what we hand on, and names the same fingerprint as it does for the
/// original key.
fn loads(key: &DeployKey, original: &str) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let fingerprint = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let public = run("ssh-keygen", &["-y", "-P", "", "-f", name], folder.path());
        std::fs::write(folder.path().join("public"), public).unwrap();
        let line = run("ssh-keygen", &["-l", "-f", "public"], folder.path());
        line.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(fingerprint("ours", reveal(key.openssh())), key.fingerprint());
    assert_eq!(fingerprint("original", original), key.fingerprint());
    assert!(reveal(key.openssh()).ends_with("-----END OPENSSH PRIVATE KEY-----\n"));
    assert!(!reveal(key.openssh()).contains('\r'));
}

fn repaired(name: &str, text: &str, repairs: &[&str]) {
    let checked = parse(text).unwrap_or_else(|finding| panic!("{name}: {finding:?}"));
    assert_eq!(checked.repairs, repairs, "{name}");
    assert_eq!(reveal(checked.value.openssh()), *KEY, "{name}");
}

fn base64(text: &str) -> String {
    use base64ct::{Base64, Encoding};
    Base64::encode_string(text.as_bytes())
}

/// base64 as `base64` writes it: 76 columns.
fn folded(text: &str) -> String {
    let encoded: Vec<char> = base64(text).chars().collect();
    encoded.chunks(76).map(|line| line.iter().collect::<String>() + "\n").collect()
}

#[test]
fn every_kind_that_serves_is_loaded_by_the_real_ssh_keygen() {
    let table = [
        ("ssh-ed25519", &["-t", "ed25519"][..]),
        ("ssh-rsa", &["-t", "rsa", "-b", "2048"]),
        ("ecdsa-sha2-nistp256", &["-t", "ecdsa", "-b", "256"]),
        ("ecdsa-sha2-nistp384", &["-t", "ecdsa", "-b", "384"]),
        ("ecdsa-sha2-nistp521", &["-t", "ecdsa", "-b", "521"]),
    ];
    for (algorithm, arguments) in table {
        let original = keygen(&[arguments, &["-N", "", "-C", "a b"]].concat());
        let checked = parse(&original).unwrap();
        assert!(checked.repairs.is_empty());
        assert_eq!(checked.value.algorithm(), algorithm);
        loads(&checked.value, &original);
    }
    // OpenSSH drops leading zeros of the scalar, which a quarter of P-521 keys have; ssh-key 0.6.7
    // refuses those.
    for _ in 0..16 {
        let original = keygen(&["-t", "ecdsa", "-b", "521", "-N", ""]);
        let checked = parse(&original).unwrap();
        assert_eq!(reveal(checked.value.openssh()), original);
        loads(&checked.value, &original);
    }
    // Padding depends on the comment's length.
    for length in 0..9 {
        let original = keygen(&["-t", "ed25519", "-N", "", "-C", &"c".repeat(length)]);
        loads(&parse(&original).unwrap().value, &original);
    }
    // A comment need not be UTF-8.
    let original = keygen(&["-t", "ed25519", "-N", "", "-C", "latin1"]);
    let blob = blob_of(&original);
    let at = blob.windows(6).position(|window| window == b"latin1").unwrap();
    let mut latin1 = blob.clone();
    latin1[at] = 0xe9;
    loads(&parse(&armoured(&latin1)).unwrap().value, &armoured(&latin1));
    assert_eq!(reveal(parse(&KEY).unwrap().value.openssh()), *KEY);
}

#[test]
fn damage_that_is_certainly_repaired() {
    let key = KEY.as_str();
    let lines: Vec<&str> = key.lines().collect();
    let body = lines[1..lines.len() - 1].concat();
    let (begin, end) = (lines[0], lines[lines.len() - 1]);
    let each = |before: &str, after: &str| {
        lines.iter().map(|line| [before, line, after, "\n"].concat()).collect::<String>()
    };
    repaired("untouched", key, &[]);
    repaired("trailing blank lines", &format!("{key}\n\n"), &[]);
    for blank in ["\u{a0}", "\u{202f}", "\u{2007}"] {
        repaired(
            "no-break space",
            &key.replace("BEGIN ", &format!("BEGIN{blank}")),
            &["no-break spaces"],
        );
        repaired("no-break spaces", &key.replace(' ', blank), &["no-break spaces"]);
    }
    repaired("CRLF", &key.replace('\n', "\r\n"), &["CRLF line ends"]);
    repaired("CR", &key.replace('\n', "\r"), &["CR line ends"]);
    repaired("no final newline", key.trim_end(), &["no final newline"]);
    repaired("leading blank line", &format!("\n{key}"), &[]);
    repaired("comment line", &format!("# deploy key\n{key}"), &["other text around it"]);
    repaired(
        "public key after it",
        &format!("{key}ssh-ed25519 AAAA x\n"),
        &["other text around it"],
    );
    repaired("body on one line", &format!("{begin}\n{body}\n{end}\n"), &["line ends missing"]);
    repaired("all on one line", &format!("{begin}{body}{end}\n"), &["line ends missing"]);
    repaired(
        "blanks for newlines",
        &(key.trim_end().replace('\n', " ") + "\n"),
        &["blanks for line ends"],
    );
    repaired("literal \\n", &key.replace('\n', "\\n"), &["literal \\n"]);
    repaired("literal \\r\\n", &key.replace('\n', "\\r\\n"), &["literal \\n"]);
    repaired("escaped twice", &key.replace('\n', "\\\\n"), &["literal \\n"]);
    let json = serde_json::json!(key).to_string();
    repaired("JSON string", &json, &["quotes around it", "literal \\n"]);
    let slashed = json.replace('/', "\\/");
    let slashes = key.contains('/');
    let expected: &[&str] = &["quotes around it", "literal \\n", "escaped slashes"];
    repaired("PHP's JSON string", &slashed, &expected[..if slashes { 3 } else { 2 }]);
    repaired("trailing blanks", &each("", "  "), &["blanks at line ends"]);
    repaired(
        "one trailing blank",
        &key.replacen("-----\n", "----- \n", 1),
        &["blanks at line ends"],
    );
    repaired("indented", &each("    ", ""), &["indentation"]);
    repaired("tabs", &each("\t", ""), &["indentation"]);
    repaired("no-break spaces", &each("\u{a0}", ""), &["no-break spaces", "indentation"]);
    repaired("double quotes", &format!("\"{key}\""), &["quotes around it"]);
    repaired("single quotes", &format!("'{key}'\n"), &["quotes around it"]);
    repaired("typographic quotes", &format!("\u{201c}{key}\u{201d}"), &["quotes around it"]);
    repaired("BOM", &format!("\u{feff}{key}"), &["byte order mark"]);
    repaired("zero-width", &key.replacen("KEY", "K\u{200b}EY", 1), &["zero-width characters"]);
    let dashes = "dashes of the BEGIN and END lines";
    repaired("four dashes", &key.replacen("-----", "----", 1), &[dashes]);
    repaired("base64", &base64(key), &["base64 wrapping"]);
    repaired("base64, folded", &folded(key), &["base64 wrapping"]);
    repaired(
        "base64url, unpadded",
        base64(key).replace('+', "-").replace('/', "_").trim_end_matches('='),
        &["base64 wrapping"],
    );
    repaired("base64 twice", &folded(&folded(key)), &["base64 wrapping"]);
    repaired(
        "base64 of CRLF",
        &base64(&key.replace('\n', "\r\n")),
        &["base64 wrapping", "CRLF line ends"],
    );
    repaired(
        "base64 in quotes",
        &format!("\"{}\"", base64(key)),
        &["quotes around it", "base64 wrapping"],
    );
    repaired("no armour", &body, &["BEGIN and END lines missing"]);
    repaired(
        "heredoc",
        &format!("  <<EOT\n{}EOT\n", each("  ", "")),
        &["other text around it", "indentation"],
    );
    let all = format!("\u{feff}\"{}\"\r\n", each("  ", "").replace('\n', "\\r\\n"));
    repaired(
        "all at once",
        &all,
        &["byte order mark", "quotes around it", "literal \\n", "indentation"],
    );
    let folder = tempfile::tempdir().unwrap();
    run("openssl", &["genpkey", "-algorithm", "ed25519", "-out", "k"], folder.path());
    let spki = run("openssl", &["pkey", "-in", "k", "-pubout"], folder.path());
    repaired("PEM public key after it", &format!("{key}{spki}"), &["other text around it"]);
}

fn refused(name: &str, text: &str, code: Code, reason: &str) {
    let finding = parse(text).err().unwrap_or_else(|| panic!("{name} was accepted"));
    assert_eq!((finding.code, &*finding.summary), (code, reason), "{name}");
}

/// A line of the body that ends in END, when a blank follows it, is not the END line.
#[test]
fn the_end_line_is_found_by_its_dashes() {
    let checked = parse(&KEY).unwrap().value;
    let text = reveal(checked.openssh()).replacen("AAAA", "END ", 1);
    refused("END", &text, Malformed, "it is truncated or damaged: characters are missing");
}

#[test]
fn not_a_private_key() {
    let key = KEY.as_str();
    let folder = tempfile::tempdir().unwrap();
    let (path, at) =
        (folder.path(), |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap());
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "k"], path);
    run("ssh-keygen", &["-q", "-s", "k", "-I", "id", "k.pub"], path);
    run("ssh-keygen", &["-q", "-t", "rsa", "-b", "2048", "-N", "", "-m", "PEM", "-f", "r"], path);
    run("openssl", &["req", "-x509", "-key", "r", "-subj", "/CN=x", "-out", "x509"], path);
    let public = at("k.pub");
    refused("public key", &public, Malformed, "a public key");
    refused("public key in base64", &base64(&public), Malformed, "a public key");
    refused("public key's middle", public.split(' ').nth(1).unwrap(), Malformed, "a public key");
    refused("quoted public key", &format!("'{public}'"), Malformed, "a public key");
    refused(
        "SSH certificate",
        &at("k-cert.pub"),
        Malformed,
        "an SSH certificate, not a private key",
    );
    let pem = |form| run("ssh-keygen", &["-e", "-m", form, "-f", "r.pub"], path);
    for form in ["PEM", "PKCS8", "RFC4716"] {
        refused(form, &pem(form), Malformed, "a public key");
    }
    refused("X.509 certificate", &at("x509"), Malformed, "a certificate, not a private key");
    let begun = key.lines().next().unwrap();
    let half = &key[..key.len() / 2];
    let truncated = "it is truncated: the END line is missing";
    refused("half", half, Malformed, truncated);
    refused("BEGIN alone", begun, Malformed, truncated);
    refused("no END", &key[..key.find("-----END").unwrap()], Malformed, truncated);
    refused("no BEGIN", &key[begun.len() + 1..], Malformed, "the BEGIN line is missing");
    let dropped: Vec<&str> =
        key.lines().enumerate().filter(|(line, _)| *line != 3).map(|(_, line)| line).collect();
    let missing = "it is truncated or damaged: characters are missing";
    refused("a line lost", &dropped.join("\n"), Malformed, missing);
    let shorter = key.replacen(dropped[2], &dropped[2][4..], 1);
    refused(
        "four characters lost",
        &shorter,
        Malformed,
        "it is truncated: the content ends too early",
    );
    refused(
        "a character lost",
        &key.replacen("b3Bl", "b3B", 1),
        Malformed,
        "it is truncated or damaged: characters are missing",
    );
    refused(
        "empty",
        &format!("{begun}\n{}", &key[key.find("-----END").unwrap()..]),
        Malformed,
        "it is truncated: it has no content",
    );
    let ends = key.replace("END OPENSSH", "END RSA");
    refused("other END", &ends, Malformed, "the BEGIN and END lines name different things");
    let two = "more than one private key in it";
    refused("two keys", &format!("{key}{}", at("k")), Malformed, two);
    refused("two keys of two kinds", &format!("{key}{}", at("r")), Malformed, two);
    for masked in ["****", "...", "\u{2026}"] {
        let text = format!("{begun}\nb3BlbnNz{masked}\n-----END OPENSSH PRIVATE KEY-----\n");
        refused("masked", &text, Malformed, "it is a masked or shortened copy");
    }
    let mut odd = key.to_owned();
    odd.insert(begun.len() + 8, '%');
    refused(
        "foreign character",
        &odd,
        Malformed,
        "it contains characters that are not allowed in a key",
    );
    let template = "it is a template expression that was not evaluated";
    for text in [
        "${var.deploy_key}",
        "${data.x.y}\n",
        "{{ .Values.key }}",
        "$DEPLOY_KEY",
        "var.key",
        "$(cat key)",
    ] {
        refused(text, text, Malformed, template);
    }
    for text in ["null", "undefined", "None", "(sensitive value)"] {
        refused(text, text, Malformed, "it is a word for an empty value, such as null");
    }
    for text in ["/run/secrets/key", "~/.ssh/id_ed25519", "./key", "file:///k", "C:\\keys\\k"] {
        refused(text, text, Malformed, "it is the path of a file, not the content");
    }
    let no_begin = "it contains no BEGIN line of a private key";
    refused("prose", "see the password manager, please", Malformed, no_begin);
    refused("fingerprint", "SHA256:abc", Malformed, "the fingerprint of a key, not the key");
    refused("random base64", &"QUJD".repeat(2), Malformed, "it contains no private key");
    refused("too long", &"A".repeat(MAX_KEY + 1), Malformed, "it is longer than 64 KiB");
    refused("NUL", &key.replacen("b3", "b\0", 1), Malformed, "it contains NUL bytes");
    refused(
        "UTF-16 without mark",
        &key.chars().flat_map(|c| [c, '\0']).collect::<String>(),
        Malformed,
        "it contains NUL bytes",
    );
    refused(
        "odd escapes",
        &key.replace('\n', "\\x"),
        Malformed,
        "it contains unknown backslash escapes",
    );
    let mut wrapped = key.to_owned();
    for _ in 0..=MAX_WRAPPINGS {
        wrapped = base64(&wrapped);
    }
    refused("wrapped without end", &wrapped, Malformed, "it contains no private key");
}

#[test]
fn bytes_that_are_not_utf_8_are_named() {
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("key".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for (bytes, summary) in [
        (&utf16[..], "the text is UTF-16"),
        (&[0xc3], "the bytes are not UTF-8 text"),
        (&[0x1f, 0x8b, 8, 0], "it is compressed (gzip)"),
    ] {
        assert_eq!(super::super::utf8(bytes, Malformed).unwrap_err().summary, summary);
    }
    assert_eq!(reveal(&super::super::utf8(b"x", Malformed).unwrap()), "x");
}

#[test]
fn placeholders_of_other_tools() {
    let key = KEY.as_str();
    let map = serde_json::json!({"acme/app": key}).to_string();
    refused("a map", &map, Malformed, "a JSON object, not a key");
    refused("a map in base64", &base64(&map), Malformed, "a JSON object, not a key");
    let elsewhere = "it is a URL, such as that of an entry in a secret store, not the content";
    for text in [
        "vault:secret/data/keys#app",
        "op://vault/item/key",
        "arn:aws:secretsmanager:x:1:y",
        "https://x/k",
    ] {
        refused(text, text, Malformed, elsewhere);
    }
    let address = format!("data:text/plain;base64,{}", base64(key));
    refused("data:", &address, Malformed, "it is a `data:` URL, not the content");
    for text in [
        "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
        "ENC[AES256_GCM,data:x,type:str]",
        "age-encryption.org/v1\n-> x",
    ] {
        refused(text, text, Malformed, "it is encrypted for another tool (Ansible, SOPS, age)");
    }
    let hex: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
    for text in [hex.clone(), format!("{hex}0"), hex.replace("2d2d", "2d2d\n")] {
        refused("hex", &text, Malformed, "hexadecimal digits, not the key itself");
    }
    for (mark, to_bytes) in [
        (Some('\u{feff}'), u16::to_le_bytes as fn(u16) -> [u8; 2]),
        (None, u16::to_le_bytes),
        (None, u16::to_be_bytes),
        (Some('\u{feff}'), u16::to_be_bytes),
    ] {
        let text: String = mark.into_iter().chain(key.chars()).collect();
        let bytes: Vec<u8> = text.encode_utf16().flat_map(to_bytes).collect();
        let encoded = <base64ct::Base64 as base64ct::Encoding>::encode_string(&bytes);
        refused(
            "UTF-16",
            &encoded,
            Malformed,
            "it is base64 of UTF-16 text, as PowerShell writes it",
        );
    }
}

#[test]
fn containers_other_than_opensshs() {
    let pem = |kind: &str, bits: &str, form: &str| {
        keygen(&["-t", kind, "-b", bits, "-N", "", "-m", form])
    };
    refused(
        "PKCS#1",
        &pem("rsa", "2048", "PEM"),
        Unsupported,
        "an RSA key in PKCS#1 form, not OpenSSH's",
    );
    refused(
        "PKCS#8",
        &pem("rsa", "2048", "PKCS8"),
        Unsupported,
        "a key in PKCS#8 form, not OpenSSH's",
    );
    refused(
        "SEC1",
        &pem("ecdsa", "256", "PEM"),
        Unsupported,
        "an EC key in SEC1 form, not OpenSSH's",
    );
    let parameters =
        made("openssl", &["ecparam", "-name", "prime256v1", "-genkey", "-out", "k"], "k");
    assert!(parameters.contains("EC PARAMETERS"));
    refused(
        "SEC1 with parameters",
        &parameters,
        Unsupported,
        "an EC key in SEC1 form, not OpenSSH's",
    );
    let pkcs8 = made("openssl", &["genpkey", "-algorithm", "ed25519", "-out", "k"], "k");
    let ed25519 = "an Ed25519 key in PKCS#8 form, not OpenSSH's";
    refused("ed25519 PKCS#8", &pkcs8, Unsupported, ed25519);
    refused("ed25519 PKCS#8 in base64", &base64(&pkcs8), Unsupported, ed25519);
    refused("ed25519 PKCS#8 on one line", &pkcs8.replace('\n', "\\n"), Unsupported, ed25519);
    let der: String = pkcs8.lines().filter(|line| !line.contains('-')).collect();
    refused(
        "DER",
        &der,
        Unsupported,
        "a DER key without BEGIN and END lines, not in OpenSSH's form",
    );
    let ppk = "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\n";
    refused("PPK", ppk, Unsupported, "a PuTTY key (PPK)");
    refused("PPK in base64", &base64(ppk), Unsupported, "a PuTTY key (PPK)");
    let block = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    refused("PGP", &block("PGP PRIVATE KEY BLOCK"), Unsupported, "a PGP key, not an SSH key");
    refused(
        "other",
        &block("ANY PRIVATE KEY"),
        Unsupported,
        "a private key in another form than OpenSSH's",
    );
    refused(
        "message",
        &block("PGP MESSAGE"),
        Malformed,
        "a block of another kind than a private key",
    );
    refused(
        "age",
        &format!("AGE-SECRET-KEY-1{}", "Q".repeat(58)),
        Unsupported,
        "an age key, not an SSH key",
    );
    // The command that the hint names works.
    let folder = tempfile::tempdir().unwrap();
    for form in ["PEM", "PKCS8"] {
        let arguments = ["-q", "-t", "rsa", "-b", "2048", "-N", "", "-m", form, "-f", form];
        run("ssh-keygen", &arguments, folder.path());
        run("ssh-keygen", &["-p", "-N", "", "-f", form], folder.path());
        parse(&std::fs::read_to_string(folder.path().join(form)).unwrap()).unwrap();
    }
}

#[test]
fn passphrases() {
    let protected = "it is protected by a passphrase, and pushready cannot prompt for it";
    for form in ["RFC4716", "PEM", "PKCS8"] {
        let key = keygen(&["-t", "rsa", "-b", "2048", "-N", "secret phrase", "-m", form]);
        refused(form, &key, Encrypted, protected);
    }
    // An authenticated cipher puts its tag behind the private part.
    for cipher in ["aes256-ctr", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"] {
        let key = keygen(&["-t", "ed25519", "-N", "secret phrase", "-Z", cipher]);
        refused(cipher, &key, Encrypted, protected);
        refused(cipher, &base64(&key), Encrypted, protected);
    }
}

#[test]
fn weak_keys() {
    let rsa = |bits: &str| keygen(&["-t", "rsa", "-b", bits, "-N", ""]);
    refused("1024", &rsa("1024"), Weak, "an RSA key below 2048 bits");
    refused("2047", &rsa("2047"), Weak, "an RSA key below 2048 bits");
    // OpenSSH 10 makes no DSA keys any more.
    refused("DSA", &crafted(b"ssh-dss", b"none", 1), Weak, "a DSA key");
    let pem = "-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n";
    refused("DSA PEM", pem, Weak, "a DSA key");
}

fn armoured(blob: &[u8]) -> String {
    use base64ct::{Base64, Encoding};
    let begin = "-----BEGIN OPENSSH PRIVATE KEY-----";
    format!("{begin}\n{}\n{}\n", Base64::encode_string(blob), begin.replace("BEGIN", "END"))
}

fn blob_of(key: &str) -> Vec<u8> {
    let body: String = key.lines().filter(|line| !line.contains('-')).collect();
    decode_base64(&body).unwrap().to_vec()
}

/// The outside of a container around nothing.
fn crafted(algorithm: &[u8], cipher: &[u8], keys: u32) -> String {
    let string =
        |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let public = string(&string(algorithm));
    let count = keys.to_be_bytes();
    armoured(
        &[MAGIC, &string(cipher), &string(b"none"), &string(b""), &count, &public, &string(b"")]
            .concat(),
    )
}

/// Every byte of the container, changed: refused, or harmless to what OpenSSH checks.
#[test]
fn a_damaged_container() {
    let damaged = "it is damaged: its parts do not match";
    let blob = blob_of(&KEY);
    let changed = |at: usize| {
        let mut changed = blob.clone();
        changed[at] ^= 1;
        parse(&armoured(&changed)).map_err(|finding| finding.summary)
    };
    // From PROTOCOL.key: the public key, then length, two check integers, name, public key, both
    // halves, comment.
    let public = MAGIC.len() + 8 + 8 + 4 + 4;
    let private = public + 4 + 51 + 4;
    for at in [
        public + 4 + 15 + 4,
        private,
        private + 7,
        private + 12,
        private + 8 + 15 + 4,
        private + 8 + 15 + 36 + 4 + 32,
    ] {
        assert_eq!(changed(at).unwrap_err(), damaged, "{at}");
    }
    let seed = changed(private + 8 + 15 + 36 + 4).unwrap();
    assert_eq!(seed.value.fingerprint(), parse(&KEY).unwrap().value.fingerprint());
    let mut padding = blob.clone();
    *padding.last_mut().unwrap() ^= 1;
    assert!(blob.last().is_some_and(|byte| *byte < 8), "this key has padding");
    refused("padding", &armoured(&padding), Malformed, damaged);
    let longer = [blob.as_slice(), &[0; 3]].concat();
    refused(
        "longer",
        &armoured(&longer),
        Malformed,
        "it is damaged: it contains more than one key",
    );
    // A whole block of correct padding more is what OpenSSH takes; a part of a block is not.
    for (more, taken) in [(8_u8, true), (4, false)] {
        let last = *blob.last().unwrap();
        let mut padded = [blob.as_slice(), &(last + 1..=last + more).collect::<Vec<u8>>()].concat();
        let length = u32::try_from(padded.len() - private).unwrap();
        padded[private - 4..private].copy_from_slice(&length.to_be_bytes());
        assert_eq!(parse(&armoured(&padded)).is_ok(), taken);
    }
    for (kind, bits) in [("rsa", "2048"), ("ecdsa", "256")] {
        let blob = blob_of(&keygen(&["-t", kind, "-b", bits, "-N", ""]));
        let length = u32::from_be_bytes(blob[public..public + 4].try_into().unwrap()) as usize;
        let name = public + 4 + length + 4 + 8 + 4;
        // In the private part: the name; the modulus or the curve; the middle of the modulus or the
        // point.
        let second = name + if kind == "rsa" { 7 } else { 19 } + 4;
        for at in [name + 6, second + 3, second + 40] {
            let mut changed = blob.clone();
            changed[at] ^= 1;
            refused(kind, &armoured(&changed), Malformed, damaged);
        }
    }
}

#[test]
fn kinds_that_cannot_serve() {
    let token = "a FIDO security key (sk), which needs its token and a touch";
    for name in ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"] {
        refused(name, &crafted(name.as_bytes(), b"none", 1), Unsupported, token);
    }
    refused(
        "xmss",
        &crafted(b"ssh-xmss@openssh.com", b"none", 1),
        Unsupported,
        "a key of a kind that git hosts do not accept",
    );
    let certificate = crafted(b"ssh-ed25519-cert-v01@openssh.com", b"none", 1);
    refused(
        "certificate",
        &certificate,
        Malformed,
        "it contains a certificate instead of its public key",
    );
    refused(
        "two in one",
        &crafted(b"ssh-ed25519", b"none", 2),
        Malformed,
        "more than one private key in it",
    );
    refused(
        "none",
        &crafted(b"ssh-ed25519", b"none", 1),
        Malformed,
        "it is damaged: its parts do not match",
    );
    // ssh-key does not know this cipher, and need not.
    refused(
        "cipher",
        &crafted(b"ssh-ed25519", b"future-cipher", 1),
        Encrypted,
        "it is protected by a passphrase, and pushready cannot prompt for it",
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Any mixture of line ends, blanks around lines, quotes and wrapping gives the same key back.
    #[test]
    fn layout_never_matters(
        ends in proptest::collection::vec(0_usize..6, 12), before in "[ \t]{0,4}", wrap in 0_usize..3, quote in 0_usize..3,
    ) {
        let seams = ["\n", "\r\n", "\r", "  \n", "\n\n", "\\n"];
        let mut text = String::new();
        for (line, end) in KEY.lines().zip(&ends) {
            text = text + &before + line + seams[*end];
        }
        for _ in 0..wrap {
            text = folded(&text);
        }
        let quotes = ["", "\"", "'"][quote];
        let checked = parse(&format!("{quotes}{text}{quotes}")).unwrap();
        proptest::prop_assert_eq!(reveal(checked.value.openssh()), &**KEY);
    }

    /// One damaged character: either refused, or what we hand on is a whole key again.
    #[test]
    fn a_canonical_text_is_judged_like_any_other(
        at in 0_usize..400, with in proptest::sample::select(vec!["", "\n", "=", "A", "END", "-", " "]),
    ) {
        let whole = KEY.as_str();
        let at = at.min(whole.len());
        let inserted = format!("{}{with}{}", &whole[..at], &whole[at..]);
        let replaced = format!("{}{with}{}", &whole[..at], &whole[(at + with.len()).min(whole.len())..]);
        for text in [inserted, replaced] {
            let same = |checked: Checked<DeployKey>| {
                let key = checked.value;
                (reveal(key.openssh()).to_owned(), key.fingerprint, key.algorithm, checked.repairs)
            };
            let (quick, slow) = (parse(&text).map(same), DeployKey::repaired(&text).map(same));
            proptest::prop_assert_eq!(quick.ok(), slow.ok());
        }
    }

    #[test]
    fn one_character_changed(at in 0_usize..380, to in proptest::char::any()) {
        let mut characters: Vec<char> = KEY.chars().collect();
        let at = at % characters.len();
        characters[at] = to;
        if let Ok(checked) = parse(&characters.into_iter().collect::<String>()) {
            let again = parse(reveal(checked.value.openssh())).unwrap();
            proptest::prop_assert!(again.repairs.is_empty());
            proptest::prop_assert_eq!(again.value.fingerprint(), checked.value.fingerprint());
        }
    }

    /// Truncated anywhere: never accepted, except for what is after the last letter of the END line.
    #[test]
    fn truncated_anywhere(at in 1_usize..420) {
        let at = at % (KEY.trim_end().len() - 5);
        proptest::prop_assert!(parse(&KEY[..at.max(1)]).is_err());
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,200}", bytes in proptest::collection::vec(0_u8.., 0..200)) {
        let _ = parse(&text);
        let _ = parse(&String::from_utf8_lossy(&bytes));
        let _ = parse(&base64(&String::from_utf8_lossy(&[MAGIC, &bytes].concat())));
        let _ = parse(&format!("-----BEGIN {text}-----\n{text}\n-----END {text}-----\n"));
    }
}
