//! `pushready agents-md`: the paragraph for a repository's AGENTS.md.

use super::print;
use crate::error::Exit;

/// Short, because every session of every agent reads it.
const PARAGRAPH: &str = "\
## When a push, a fetch or a login fails

- Run `pushready doctor --json` and read `checks`. For what git printed: `git push 2>&1 | pushready explain --push -`
  (or `pushready explain --push FILE`, `--json`). `pushready explain CODE` explains a code.
- `stop_and_report` is true: stop and report code, summary and fix. Do not look for other keys, tokens or accounts, do not
  change remotes or ssh settings, and do not try a workaround.
- `agent_may_fix` is true: do what `fix` says, once, then try again. `transient` is true: wait a minute, then try again.
- Do not rely on `ssh -T`: it names no repository, so with deploy keys it uses another key than the push does, and its
  exit status is 1 even on success. `git push --dry-run` does not check the server's rules.
";

pub fn run() -> Exit {
    print(PARAGRAPH);
    Exit::Ready
}
