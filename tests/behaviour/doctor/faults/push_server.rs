//! What the server says of a push.

use crate::doctor::Lab;
use crate::doctor::table::{Fault, fault, matrix};
use crate::support::{Access, Cmd, KeyPair, sandbox};

pub const ROWS: &[Fault] = &[
    fault("push-key-read-only", "fail", "the deploy key may only read", |lab| {
        let key = lab.host.deploy_key("acme/app", Access::Read);
        with_key(lab, &key)
    }),
    fault("ssh-key-refused", "fail", "the server does not know the key", |lab| {
        with_key(lab, &KeyPair::generate("x"))
    }),
    fault("ssh-wrong-key", "fail", "the key belongs to another repository", |lab| {
        let key = lab.host.deploy_key("acme/other", Access::Write);
        with_key(lab, &key)
    }),
    fault("push-repository-not-found", "fail", "there is no such repository", |lab| {
        let user = lab.host.user_key("dev", &[("acme/app", Access::Write)]);
        lab.apply()
            .env("PUSHREADY_DEPLOY_KEY", &*user.private)
            .env("PUSHREADY_REPOSITORY", "acme/missing")
            .run()
            .success();
        lab.ws.pushready(&["doctor", "--json", "--only", "ssh,push"])
    }),
    fault("push-denied", "fail", "the user has read access, not write access", |lab| {
        let user = lab.host.user_key("dev", &[("acme/app", Access::Read)]);
        with_key(lab, &user)
    }),
    fault("push-archived", "fail", "the repository is archived", |lab| {
        lab.host.refuse_push("acme/app", "ERROR: This repository was archived so it is read-only.");

        lab.doctor(&["--only", "ssh,push"])
    }),
    fault("push-sso-required", "fail", "the organisation wants single sign-on", |lab| {
        lab.host
            .refuse("acme/app", "ERROR: The `acme' organization has enabled or enforced SAML SSO.");
        lab.doctor(&["--only", "push"])
    }),
    fault("push-ip-not-allowed", "fail", "the organisation has an allow list", |lab| {
        let words = "ERROR: The `acme' organization has an IP allow list enabled, and your IP address is not permitted";
        lab.host.refuse("acme/app", words);
        lab.doctor(&["--only", "push"])
    }),
    fault("push-server-error", "fail", "the server fails by itself", |lab| {
        lab.host.refuse("acme/app", "ERROR: Internal server error");
        lab.doctor(&["--only", "push"])
    }),
    fault("push-server-error", "fail", "git on the server refuses the repository's owner", |lab| {
        let words = "fatal: detected dubious ownership in repository at '/srv/git/acme/app.git'";
        lab.host.refuse_push("acme/app", words);
        lab.doctor(&["--only", "push.write"])
    }),
    fault("push-unrecognized", "fail", "the server refuses in words of its own", |lab| {
        lab.host.refuse("acme/app", "ERROR: ask again on Monday");
        lab.doctor(&["--only", "push"])
    }),
    fault("push-timeout", "unknown", "the server takes the key and never answers", |lab| {
        lab.host.hang("acme/app");
        lab.doctor(&["--only", "push"])
    }),
];

/// Another key is installed instead of the right one.
fn with_key(lab: &Lab, key: &KeyPair) -> Cmd {
    lab.apply().env("PUSHREADY_DEPLOY_KEY", &*key.private).run().success();
    lab.doctor(&["--only", "ssh,push"])
}

#[test]
fn each_is_named_by_its_code() {
    sandbox(|ws| matrix(ws, ROWS));
}
