//! What apply did, refused or never got to do.

use std::fs;

use crate::doctor::Lab;
use crate::doctor::table::{Fault, fault, matrix};
use crate::support::{Cmd, sandbox};

pub const ROWS: &[Fault] = &[
    fault("not-provisioned", "fail", "nothing was ever provisioned", |lab| {
        lab.ws.run(&["remove"]).success();
        lab.doctor(&["--offline"])
    })
    .entails(&["remote-still-https"]),
    fault("not-provisioned", "fail", "variables ask for a key, and apply never ran", |lab| {
        lab.ws.run(&["remove"]).success();
        // the variable names a file of the template's
        let key = lab.ws.home().join("key");
        lab.write("key", &lab.key.private);
        lab.doctor(&["--offline"])
            .env("PUSHREADY_DEPLOY_KEY_FILE", key)
            .env("PUSHREADY_REPOSITORY", "acme/app")
    })
    .entails(&["remote-still-https"]),
    fault("ssh-route-broken", "fail", "apply refused the path of the state folder", |lab| {
        refused_state(lab);
        lab.doctor(&["--offline"]).env("XDG_STATE_HOME", lab.ws.home().join("a\"b"))
    })
    .entails(&["remote-still-https"]),
    fault("ssh-route-broken", "fail", "the same, and ssh alone is asked for", |lab| {
        refused_state(lab);
        lab.doctor(&["--offline", "--only", "ssh"])
            .env("XDG_STATE_HOME", lab.ws.home().join("a\"b"))
    }),
    fault("not-provisioned", "fail", "the state folder of apply is another one", |lab| {
        let doctor = lab.doctor(&["--offline", "--only", "home"]);
        doctor.env("XDG_STATE_HOME", lab.ws.home().join("other"))
    }),
    fault("required-missing", "fail", "a key is required that nobody gave", |lab| {
        lab.doctor(&["--offline"]).env("PUSHREADY_REQUIRE", "push:acme/nowhere")
    }),
    fault("route-binary-gone", "fail", "the copy of pushready is gone", |lab| {
        lab.remove(".local/state/pushready/bin/pushready");
        lab.doctor(&["--offline"])
    }),
    fault("key-format-unsupported", "fail", "the last apply refused a key", |lab| {
        let made = lab.ws.cmd("openssl").args(["genpkey", "-algorithm", "ed25519"]).run().success();
        let keys = serde_json::json!({"acme/app": lab.key.private, "acme/other": made.stdout});
        lab.apply()
            .env_remove("PUSHREADY_DEPLOY_KEY")
            .env("PUSHREADY_DEPLOY_KEYS", keys.to_string())
            .run()
            .fails(1);
        lab.doctor(&["--offline"])
    }),
    fault("key-encrypted", "fail", "the last apply refused a key with a passphrase", |lab| {
        refused_key(lab, &["-N", "passphrase"])
    }),
    fault("key-weak", "fail", "the last apply refused an RSA key of 1024 bits", |lab| {
        refused_key(lab, &["-N", "", "-t", "rsa", "-b", "1024"])
    }),
    fault("home-file-locked", "fail", "the last apply found git's configuration locked", |lab| {
        lab.append(".gitconfig.lock", "");
        lab.write(".gitconfig", "[user]\n\tname = Dev\n\temail = dev@example.com\n");
        lab.apply().run().fails(1);
        lab.doctor(&["--offline"])
    })
    .entails(&["remote-still-https"]),
];

/// What ssh's configuration cannot name.
fn refused_state(lab: &Lab) {
    lab.ws.run(&["remove"]).success();
    lab.apply()
        .env("XDG_STATE_HOME", lab.ws.home().join("a\"b"))
        .run()
        .fails(1)
        .stdout_has("ssh-route-broken routing");
}

/// apply is given another repository's key, made by ssh-keygen, which it must refuse.
fn refused_key(lab: &Lab, options: &[&str]) -> Cmd {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    // Debian's ssh-keygen makes no RSA key that is as weak
    if options.contains(&"1024") {
        let pem =
            lab.ws.cmd("openssl").args(["genrsa", "-traditional", "1024"]).run().success().stdout;
        fs::write(&file, pem).unwrap();
        lab.ws.cmd("chmod").arg("600").arg(&file).run().success();
        lab.ws.cmd("ssh-keygen").args(["-p", "-N", "", "-f"]).arg(&file).run().success();
    } else {
        lab.ws.cmd("ssh-keygen").args(["-q", "-f"]).arg(&file).args(options).run().success();
    }
    let keys = serde_json::json!({
        "acme/app": lab.key.private, "acme/other": fs::read_to_string(&file).unwrap(),
    });
    lab.apply()
        .env_remove("PUSHREADY_DEPLOY_KEY")
        .env("PUSHREADY_DEPLOY_KEYS", keys.to_string())
        .run()
        .fails(1);
    lab.doctor(&["--offline"])
}

#[test]
fn each_is_named_by_its_code() {
    sandbox(|ws| matrix(ws, ROWS));
}
