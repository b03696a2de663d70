//! `pushready agents-md`: the paragraph for a repository's AGENTS.md.

use super::print;
use crate::error::Exit;

/// Short, because every session of every agent reads it.
const PARAGRAPH: &str = "\
## When a push, a fetch or a login fails

- Run `pushready doctor --json` and read `checks`. For what git printed: `git push 2>&1 | pushready explain --push -`
  (or `pushready explain --push FILE`, `--json`). `pushready explain CODE` says more of a code.
- `stop_and_report` is true: stop and report code, summary and fix. Do not look for other keys, tokens or accounts, do not
  change remotes or ssh settings, and do not try another way around.
- `agent_may_fix` is true: do what `fix` says, once, then try again. `transient` is true: wait a minute, then try again.
- Do not judge by `ssh -T`: it names no repository, so with deploy keys it shows another key than the push uses, and its
  exit status is 1 even when all is well. `git push --dry-run` does not ask the server's rules.
";

pub fn run() -> Exit {
    print(PARAGRAPH);
    Exit::Ready
}
