//! A git that does not answer, since the machine is slow or ends it: nothing is found by that.

use std::collections::BTreeSet;

use super::{Lab, app};
use crate::doctor::document;
use crate::support::{PATH, sandbox};

/// A git first in PATH that is the real one, but for the command whose arguments end as the file says.
const STUB: &str = "#!/bin/sh
printf '%s\\n' \"$*\" >>/srv/asked
if [ -e /srv/silent ]; then
    case \"$*\" in *\"$(cat /srv/silent)\") . /srv/instead ;; esac
fi
exec /usr/bin/git \"$@\"
";

/// What is wrong with the report of a doctor whose git does not answer one question.
fn faults(lab: &Lab) -> Vec<String> {
    let place = app().env("PATH", format!("/srv/stub:{PATH}"));
    let report = lab.doctor(&place).json();
    let mut wrong = document::faults(&report);
    for check in report["checks"].as_array().unwrap() {
        let is_found = check["status"] == "fail" || check["status"] == "warn";
        let is_final = check["status"] == "unknown" && check["transient"] != true;
        if is_found || is_final {
            wrong.push(check.to_string());
        }
    }
    wrong
}

#[test]
fn a_git_that_does_not_answer_is_not_a_finding() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.ws.write("stub", STUB, 0o755);
        lab.sh("mkdir /srv/stub; mv stub /srv/stub/git; git config --global core.abbrev 9");
        assert_eq!(faults(&lab), [""; 0]);
        let asked = lab.sh("cat /srv/asked").stdout;
        let asked: BTreeSet<&str> = asked
            .lines()
            .filter_map(|line| Some(line.split_once("protocol.ext.allow=never ")?.1))
            .collect();
        assert!(asked.len() > 8, "{asked:?}");
        lab.sh("echo 'kill -9 $$' >/srv/instead");
        let mut wrong = Vec::new();
        for arguments in &asked {
            lab.ws.write("silent", arguments, 0o644);
            lab.sh("mv silent /srv/silent");
            wrong.extend(faults(&lab).into_iter().map(|what| format!("{arguments}: {what}")));
        }
        lab.sh("echo 'exec sleep 60' >/srv/instead");
        for arguments in ["var GIT_AUTHOR_IDENT", "--list"] {
            lab.ws.write("silent", arguments, 0o644);
            lab.sh("mv silent /srv/silent");
            wrong.extend(faults(&lab).into_iter().map(|what| format!("{arguments}: {what}")));
        }
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}
