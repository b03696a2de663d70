//! The page of the Coder module: its tables are those of `main.tf`, and it keeps the rules by which
//! the registry of Coder judges a README (its program `cmd/readmevalidation`), and those of its
//! guide for contributors.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::{ROOT, read};

const PAGE: &str = "scripts/coder/README.md";
const BEGIN: &str = "<!-- BEGIN_TF_DOCS -->\n";
const END: &str = "<!-- END_TF_DOCS -->";

/// A `variable` or an `output` of main.tf.
struct Block {
    name: String,
    /// What it sets, as the formatter writes it: text by name.
    fields: Vec<(String, String)>,
}

impl Block {
    fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, text)| &**text)
    }

    fn description(&self) -> String {
        let quoted = self.get("description").unwrap();
        serde_json::from_str::<String>(quoted).unwrap()
    }
}

/// The blocks of this kind, by name. The file is formatted, which other tests check.
fn blocks(text: &str, kind: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(rest) = line.strip_prefix(kind).and_then(|rest| rest.strip_prefix(" \"")) else {
            continue;
        };
        let name = rest.split('"').next().unwrap().to_owned();
        let mut fields = Vec::new();
        while let Some(line) = lines.next().filter(|line| *line != "}") {
            // deeper ones are of inner blocks
            let Some((field, value)) = line.strip_prefix("  ").and_then(|it| it.split_once('='))
            else {
                continue;
            };
            let field = field.trim_end();
            if field.is_empty()
                || !field.chars().all(|letter| letter == '_' || letter.is_ascii_lowercase())
            {
                continue;
            }
            let mut value = value.trim().to_owned();
            while value.ends_with("({") || (value.contains("({\n") && !value.ends_with("})")) {
                let _ = write!(value, "\n{}", lines.next().unwrap());
            }
            fields.push((field.to_owned(), value));
        }
        blocks.push(Block { name, fields });
    }
    blocks.sort_by(|one, other| one.name.cmp(&other.name));
    blocks
}

/// What `terraform-docs markdown table --anchor=false --escape=false` makes of these.
fn tables(text: &str) -> String {
    let mut out = String::from("## Inputs\n\n| Name | Description | Type | Default | Required |\n");
    out.push_str("|------|-------------|------|---------|:--------:|\n");
    for input in blocks(text, "variable") {
        let kind = input.get("type").unwrap();
        let kind = if kind.contains('\n') {
            format!("<pre>{}</pre>", kind.replace('\n', "<br/>"))
        } else {
            format!("`{kind}`")
        };
        let (default, required) = match input.get("default") {
            Some(default) => (format!("`{default}`"), "no"),
            None => ("n/a".to_owned(), "yes"),
        };
        let description = input.description();
        assert!(!description.contains(['|', '\n']), "{description}");
        let _ =
            writeln!(out, "| {} | {description} | {kind} | {default} | {required} |", input.name);
    }
    out.push_str("\n## Outputs\n\n| Name | Description |\n|------|-------------|\n");
    for output in blocks(text, "output") {
        let _ = writeln!(out, "| {} | {} |", output.name, output.description());
    }
    out
}

/// After a change of main.tf: `PUSHREADY_UPDATE_SNAPSHOTS=1 cargo test --test packaging`.
#[test]
fn the_tables_of_the_page_are_those_of_main_tf() {
    let (page, expected) = (read(PAGE), tables(&read("scripts/coder/main.tf")));
    let (above, rest) = page.split_once(BEGIN).unwrap();
    let (tables, below) = rest.split_once(END).unwrap();
    if std::env::var_os("PUSHREADY_UPDATE_SNAPSHOTS").is_some() {
        fs::write(Path::new(ROOT).join(PAGE), format!("{above}{BEGIN}{expected}{END}{below}"))
            .unwrap();
        return;
    }
    assert!(tables == expected, "main.tf has now\n{expected}");
    let inputs =
        expected.lines().filter(|line| line.ends_with(" no |") || line.ends_with(" yes |"));
    let declared = read("scripts/coder/main.tf").matches("\nvariable \"").count();
    assert_eq!(inputs.count(), declared, "one line for each variable");
}

#[test]
fn blocks_are_read_with_their_inner_ones_left_out() {
    let text = "variable \"b\" {\n  type        = string\n  description = \"a `\\\"` \"\n\n  validation {\n    condition     = true\n    \
        error_message = \"e\"\n  }\n}\n\nvariable \"a\" {\n  type = object({\n    name = string\n  })\n  description = \"d\"\n  \
        default     = null\n}\n";
    assert_eq!(
        tables(text).lines().skip(4).take(2).collect::<Vec<_>>(),
        [
            "| a | d | <pre>object({<br/>    name = string<br/>  })</pre> | `null` | no |",
            "| b | a `\"`  | `string` | n/a | yes |"
        ]
    );
}

/// What the registry's program says of a module's README, and what its guide demands in addition.
fn faults(readme: &str) -> Vec<String> {
    let lines: Vec<_> = readme.trim().lines().collect();
    let Some(close) = lines.iter().skip(1).position(|line| *line == "---").map(|place| place + 1)
    else {
        return vec!["two fences around the frontmatter".to_owned()];
    };
    if lines[0] != "---" || close == 1 {
        return vec!["two fences around the frontmatter".to_owned()];
    }
    let mut faults = frontmatter_faults(&lines[1..close]);
    let body: Vec<_> =
        lines[close + 1..].iter().copied().skip_while(|line| line.trim().is_empty()).collect();
    faults.extend(heading_faults(&body));
    faults.extend(first_section_faults(&body));
    faults.extend(alert_faults(&body));
    let has =
        |heading: &str| body.iter().any(|line| line.starts_with("## ") && line.contains(heading));
    for heading in ["Examples", "Troubleshooting"] {
        if !has(heading) {
            faults.push(format!("a section {heading}"));
        }
    }
    if body.iter().any(|line| line.starts_with("```hcl") || line.starts_with("```terraform")) {
        faults.push("tf for code blocks".to_owned());
    }
    faults
}

fn frontmatter_faults(lines: &[&str]) -> Vec<String> {
    let known = [
        "description",
        "icon",
        "display_name",
        "verified",
        "tags",
        "supported_os",
        "maintainer_github",
    ];
    let mut faults = Vec::new();
    let field = |name: &str| {
        let line =
            lines.iter().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.trim().trim_matches('"').to_owned())
    };
    for (key, _) in lines.iter().filter_map(|line| line.trim().split_once(':')) {
        if !known.contains(&key) {
            faults.push(format!("unknown key {key}"));
        }
    }
    if field("display_name").as_deref() == Some("") {
        faults.push("an empty display_name".to_owned());
    }
    if field("description").unwrap_or_default().is_empty() {
        faults.push("a description".to_owned());
    }
    // the registry has a folder of icons, four folders above each module
    if !field("icon").unwrap_or_default().starts_with("../../../../.icons/") {
        faults.push("an icon of the registry".to_owned());
    }
    match field("tags") {
        Some(tags) if tags.starts_with('[') && tags.ends_with(']') => {
            let tags = tags[1..tags.len() - 1].split(',').map(|tag| tag.trim().trim_matches('"'));
            let plain = |tag: &str| {
                tag.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.~".contains(letter))
            };
            faults.extend(tags.filter(|tag| !plain(tag)).map(|tag| format!("tag {tag} in a URL")));
        }
        _ => faults.push("a list of tags".to_owned()),
    }
    if field("verified").is_some_and(|verified| verified != "false") {
        faults.push("verified is for the registry's maintainers".to_owned());
    }
    faults
}

/// The lines outside of code blocks.
fn prose<'a>(body: &[&'a str]) -> Vec<&'a str> {
    let mut inside = false;
    let outside = |line: &&&str| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    };
    body.iter().filter(outside).copied().collect()
}

fn heading_faults(body: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    if !body.first().is_some_and(|line| line.starts_with("# ")) {
        return vec!["one h1 directly after the frontmatter".to_owned()];
    }
    let mut last = 0;
    for line in prose(body).into_iter().filter(|line| line.starts_with('#')) {
        let level = line.chars().take_while(|letter| *letter == '#').count();
        if line.as_bytes().get(level) != Some(&b' ') {
            faults.push(format!("a blank after the # of {line}"));
        }
        if level == 1 && last > 0 {
            faults.push("one h1".to_owned());
        }
        if level > last + 1 {
            faults.push(format!("one level more at a time: {line}"));
        }
        last = level;
    }
    faults
}

/// Between the h1 and the next heading: a paragraph, and one block of Terraform with a `version`.
fn first_section_faults(body: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let (mut blocks, mut version, mut paragraph) = (0, false, false);
    let mut inside: Option<bool> = None;
    for line in body.iter().skip(1) {
        if let Some(kind) = line.strip_prefix("```") {
            inside = if inside.is_none() { Some(kind.starts_with("tf")) } else { None };
            blocks += usize::from(inside == Some(true));
            continue;
        }
        match inside {
            Some(true) => {
                let set = line.trim_start().strip_prefix("version");
                version |= set.is_some_and(|rest| {
                    rest.starts_with(' ') && rest.trim_start().starts_with('=')
                });
            }
            Some(false) => {}
            None if line.starts_with('#') => break,
            None => {
                let text = line.trim();
                paragraph |= !text.is_empty() && !text.starts_with("![") && !text.starts_with('<');
            }
        }
    }
    for (holds, fault) in [
        (blocks == 1, "one tf block in the first section"),
        (version, "a version in the tf block of the first section"),
        (paragraph, "a paragraph in the first section"),
        (inside.is_none(), "code blocks that end"),
    ] {
        if !holds {
            faults.push(fault.to_owned());
        }
    }
    faults
}

/// `> [!NOTE]` alone on its line, in capitals, of a type that GitHub has, and with a text.
fn alert_faults(body: &[&str]) -> Vec<String> {
    let prose = prose(body);
    let types = ["NOTE", "IMPORTANT", "CAUTION", "WARNING", "TIP"];
    let starts =
        |line: &str| line.strip_prefix('>').is_some_and(|rest| rest.trim_start().starts_with("[!"));
    let mut faults = Vec::new();
    for (place, line) in prose.iter().enumerate().filter(|(_, line)| starts(line)) {
        let next = prose.get(place + 1).copied().unwrap_or_default();
        let is_right = types.iter().any(|kind| **line == format!("> [!{kind}]"));
        if !is_right || starts(next) || !next.starts_with("> ") {
            faults.push(format!("an alert: {line}"));
        }
    }
    faults
}

#[test]
fn the_page_keeps_the_rules_of_the_registry() {
    assert_eq!(faults(&read(PAGE)), Vec::<String>::new());
}

#[test]
fn each_rule_of_the_registry_finds_its_fault() {
    let good = "---\ndisplay_name: X\ndescription: D\nicon: ../../../../.icons/x.svg\nverified: false\ntags: [a, b-c]\n---\n\n# X\n\n\
        Text.\n\n```tf\nmodule \"x\" {\n  version = \"1.0.0\"\n}\n```\n\n## Examples\n\n### One\n\n> [!NOTE]\n> Text.\n\n## Troubleshooting\n\nText.\n";
    assert_eq!(faults(good), Vec::<String>::new());
    for (old, new, fault) in [
        ("---\ndisplay", "display", "two fences"),
        ("display_name: X", "display_name:", "an empty display_name"),
        ("description: D\n", "", "a description"),
        ("description: D", "description: D\nauthor: me", "unknown key author"),
        ("../../../../.icons/x.svg", "/icon/x.svg", "an icon of the registry"),
        ("[a, b-c]", "[a, b c]", "tag b c in a URL"),
        ("tags: [a, b-c]\n", "", "a list of tags"),
        ("verified: false", "verified: true", "maintainers"),
        ("# X\n", "Text\n\n# X\n", "one h1 directly"),
        ("### One", "#### One", "one level more"),
        ("### One", "# One", "one h1"),
        ("## Examples", "##Examples", "a blank after"),
        ("  version = \"1.0.0\"\n", "", "a version in the tf block"),
        ("Text.\n\n```tf", "```tf", "a paragraph"),
        ("```tf", "```sh", "one tf block"),
        ("```\n\n## Ex", "```\n\n```tf\n```\n\n## Ex", "one tf block"),
        ("```\n\n## Ex", "## Ex", "code blocks that end"),
        ("### One", "```hcl\n```\n\n### One", "tf for code blocks"),
        ("[!NOTE]", "[!note]", "an alert"),
        ("[!NOTE]", "[!INFO]", "an alert"),
        ("[!NOTE]", "[!NOTE] Text", "an alert"),
        ("> [!NOTE]", ">  [!NOTE]", "an alert"),
        ("> [!NOTE]\n> Text.\n", "> [!NOTE]\n", "an alert"),
        ("## Examples", "## Usage", "a section Examples"),
        ("## Troubleshooting", "## Notes", "a section Troubleshooting"),
    ] {
        assert!(good.contains(old), "{old}");
        let found = faults(&good.replacen(old, new, 1));
        assert!(found.iter().any(|it| it.contains(fault)), "{new}: {found:?}");
    }
}

/// The guide: main.tf, a README, `*.tftest.hcl`, and `main.test.ts` for what scripts do.
#[test]
fn the_module_has_the_files_that_the_registry_demands() {
    for file in ["main.tf", "main.tftest.hcl", "main.test.ts", "README.md"] {
        assert!(Path::new(ROOT).join("scripts/coder").join(file).exists(), "{file}");
    }
    let tests = read("scripts/coder/main.test.ts");
    assert!(tests.contains("from \"~test\"") && tests.contains("from \"bun:test\""));
    for output in blocks(&read("scripts/coder/main.tf"), "output") {
        assert!(!output.description().is_empty(), "{}", output.name);
    }
}
