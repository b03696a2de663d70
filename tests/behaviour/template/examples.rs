//! The examples that README and docs show.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Host, START, claude_token, last_line, login};
use crate::support::fake_auth::ChatGpt;
use crate::support::{
    AGENT_PATH, Agent, CRATE, Release, Template, Workspace, fake_auth, sandbox, sandbox_with,
};

/// What the agent writes before any script; `echo -n` and `$(…)` lose the last line end.
fn write_user_secrets(ws: &Workspace, host: &Host, seed: &ChatGpt) {
    let write =
        |name: &str, text: &str| ws.write(&format!(".config/pushready/seed/{name}"), text, 0o600);
    write("codex-auth.json", &seed.json());
    write("claude-oauth-token", &claude_token());
    write("deploy-keys/github.com/acme/app", host.key.private.trim_end());
    // the rig's host is not the real github.com
    write("known_hosts", &host.known_hosts());
}

#[test]
fn the_screen_of_the_readme_is_all_that_it_takes() {
    sandbox(|ws| {
        let [ours, whole] =
            [include_str!("../../../scripts/coder/README.md"), include_str!("../../../README.md")]
                .map(|text| text.split_once("```tf\n").unwrap().1.split_once("```").unwrap().0);
        assert_eq!(ours, whole, "both have the same screen");
        let host = Host::start();
        let template = Template::of_readme(ws);
        let agent = Agent::of(ws, template.build(&[]));
        let names: Vec<_> = agent.deployment.variables.keys().collect();
        assert_eq!(
            names,
            [
                "PUSHREADY_CODEX_LEASE",
                "PUSHREADY_GIT_EMAIL",
                "PUSHREADY_GIT_NAME",
                "PUSHREADY_REQUIRE"
            ]
        );
        write_user_secrets(ws, &host, &fake_auth::chatgpt());
        for _ in 0..2 {
            for (address, output) in agent.start() {
                let output = output.success();
                assert!(address != START || last_line(&output).starts_with("READY "), "{output}");
            }
        }
        assert_eq!(ws.read("app/README.md"), "# acme/app\n");
        let metadata = agent.deployment.metadata[0]["script"].as_str().unwrap();
        agent
            .cmd(metadata)
            .run()
            .success()
            .stdout_has("ready · push 1/1 · codex · claude · checked ");
    });
}

#[test]
fn example_coder_user_secrets() {
    sandbox(|ws| {
        let host = Host::start();
        let template = Template::of_example(ws, "coder-user-secrets");
        let agent = Agent::of(ws, template.build(&[]));
        let names: Vec<_> = agent.deployment.variables.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "PUSHREADY_CODEX_LEASE",
                "PUSHREADY_GIT_EMAIL",
                "PUSHREADY_GIT_NAME",
                "PUSHREADY_REQUIRE",
                "PUSHREADY_TRUSTED_FOLDERS"
            ]
        );
        assert_eq!(agent.deployment.metadata.len(), 1);

        // nobody has made a secret yet: the clone fails, and the verdict says what is missing
        let starts = agent.start();
        let proof = &starts["module.proof.coder_script.start[0]"];
        assert_eq!(proof.status.code(), Some(1), "{proof}");
        assert!(last_line(proof).starts_with("NOT READY required-missing"), "{proof}");

        write_user_secrets(ws, &host, &fake_auth::chatgpt());
        let agent = Agent::of(ws, agent.deployment);
        for (address, output) in agent.start() {
            let output = output.success();
            if address == "module.proof.coder_script.start[0]" {
                assert!(last_line(&output).starts_with("READY "), "{output}");
            }
        }
        assert_eq!(ws.read("app/README.md"), "# acme/app\n");
        assert_eq!(login(ws)["tokens"]["refresh_token"], "", "a lease");
        // codex v5 discarded the first config.toml
        let config = ws.read(".codex/config.toml");
        assert!(
            config.contains("coder-managed") && config.contains("[projects.\"/home/coder/app\"]"),
            "{config}"
        );
    });
}

#[test]
fn example_coder_tasks() {
    sandbox(|ws| {
        let host = Host::start();
        let template = Template::of_example(ws, "coder-tasks");
        template.variables(
            &json!({"codex_auth_json": fake_auth::chatgpt().json(), "app_key": host.key.private}),
        );
        let deployment = template.build(&[]);
        assert_eq!(deployment.variables["PUSHREADY_CODEX_LEASE"], "1");
        // the rig's host is not the real github.com
        let agent = Agent::of(ws, deployment).env("PUSHREADY_KNOWN_HOSTS", host.known_hosts());
        for _ in 0..2 {
            for output in agent.start().into_values() {
                output.success();
            }
            assert!(
                ws.read(".codex-module/post_install.log")
                    .lines()
                    .last()
                    .unwrap()
                    .starts_with("READY ")
            );
            let seen: Value =
                serde_json::from_str(&ws.read(".codex-module/seen-by-codex.json")).unwrap();
            assert_eq!(seen["tokens"]["access_token"], fake_auth::chatgpt().access_token());
            assert_eq!(seen["tokens"]["refresh_token"], "");
            // by the HTTPS address, over SSH, with the key that the hook brought
            assert_eq!(ws.read("app/README.md"), "# acme/app\n");
        }
        agent.shell("cd app && git -c user.name=T -c user.email=t@example.com commit -qm x --allow-empty && git push -q").success();
    });
}

#[test]
fn example_coder_agents() {
    sandbox(|ws| {
        let host = Host::start();
        let template = Template::of_example(ws, "coder-agents");
        template.variables(&json!({"app_key": host.key.private}));
        let deployment = template.build(&[]);
        assert_eq!(deployment.metadata[0]["key"], "pushready");
        // the rig's host is not the real github.com
        let agent = Agent::of(ws, deployment).env("PUSHREADY_KNOWN_HOSTS", host.known_hosts());
        for (address, output) in agent.start() {
            let output = output.success();
            assert!(address != START || last_line(&output).starts_with("READY "), "{output}");
        }
        assert_eq!(ws.read("app/README.md"), "# acme/app\n");
    });
}

/// Values of a plain Kubernetes list `[{name, …}]`, by name.
fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|entry| entry["name"] == name).unwrap()
}

fn words(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

/// A volume from a secret, as the kubelet mounts it: links into a dated folder, of root's and for
/// all to read.
fn mount_secret(volume: &Value, folder: &Path, secret: &[(&str, &str)]) {
    let dated = folder.join("..2026_01_31");
    for item in volume["secret"]["items"].as_array().unwrap() {
        let (key, path) = (item["key"].as_str().unwrap(), item["path"].as_str().unwrap());
        let content = secret.iter().find(|(name, _)| *name == key).unwrap().1;
        fs::create_dir_all(dated.join(path).parent().unwrap()).unwrap();
        fs::write(dated.join(path), content).unwrap();
        fs::set_permissions(dated.join(path), Permissions::from_mode(0o644)).unwrap();
        let first = path.split('/').next().unwrap();
        let link = folder.join(first);
        if !link.is_symlink() {
            symlink(Path::new("..data").join(first), link).unwrap();
        }
    }
    symlink("..2026_01_31", folder.join("..data")).unwrap();
}

#[test]
fn example_pod() {
    // volumes of the pod below /opt; the sandbox's own system is read-only
    sandbox_with(&["--tmpfs", "/opt"], |ws| {
        let host = Host::start();
        let pod = fs::read_to_string(format!("{CRATE}/examples/pod/pod.yaml")).unwrap();
        let pod: Value = yaml_serde::from_str(&pod).unwrap();
        let spec = &pod["spec"];
        let init = named(&spec["initContainers"], "pushready");
        let main = named(&spec["containers"], "agent");
        let mount = |container: &Value, name: &str| {
            PathBuf::from(named(&container["volumeMounts"], name)["mountPath"].as_str().unwrap())
        };
        // an emptyDir is root's, and writable for everybody (kubelet, pkg/volume/emptydir): no
        // place for a login
        let mut mounts = main["volumeMounts"].as_array().unwrap().iter();
        assert!(mounts.all(|mount| !ws.home().starts_with(mount["mountPath"].as_str().unwrap())));
        let shared = mount(init, "pushready");
        fs::create_dir_all(&shared).unwrap();
        fs::set_permissions(&shared, Permissions::from_mode(0o2777)).unwrap();

        // the init container, whose image is the binary at its root
        let [program, arguments @ ..] = &words(&init["command"])[..] else { panic!("no command") };
        assert_eq!(*program, "/pushready");
        ws.run(arguments).success();
        assert!(shared.join("pushready").exists());

        let seed = mount(main, "seed");
        fs::create_dir_all(&seed).unwrap();
        let volume = named(&spec["volumes"], "seed");
        mount_secret(
            volume,
            &seed,
            &[("codex-auth.json", &fake_auth::chatgpt().json()), ("app.key", &host.key.private)],
        );
        ws.install("run-agent", "#!/bin/sh\necho \"agent running\"\n");
        let container = |command: &Value| {
            let command = words(command);
            let mut cmd = ws
                .cmd(command[0])
                .args(&command[1..])
                .env("PATH", format!("/run/rig/bin:{AGENT_PATH}"));
            for variable in main["env"].as_array().unwrap() {
                cmd = cmd
                    .env(variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap());
            }
            // the rig's host is not the real github.com
            cmd.env("PUSHREADY_KNOWN_HOSTS", host.known_hosts())
        };
        let probe = &main["readinessProbe"]["exec"]["command"];
        container(probe).run().fails(1);
        let started = container(&main["command"]).run().success();
        assert_eq!(last_line(&started), "agent running", "{started}");
        assert_eq!(login(ws)["tokens"]["refresh_token"], "", "a lease");
        container(probe).run().success().stdout_has("ready");

        // what is required is refused: no agent, and not ready
        fs::remove_file("/srv/git/authorized_keys").unwrap();
        let refused = container(&main["command"]).run().fails(1);
        assert!(last_line(&refused).starts_with("NOT READY ssh-key-refused"), "{refused}");
        container(probe).run().fails(1);
    });
}

#[test]
fn example_devcontainer() {
    sandbox(|ws| {
        let host = Host::start();
        let text = fs::read_to_string(format!(
            "{CRATE}/examples/devcontainer/.devcontainer/devcontainer.json"
        ))
        .unwrap();
        let text: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let config: Value = serde_json::from_str(&text).unwrap();
        let mount = config["mounts"][0].as_str().unwrap();
        let target = mount.split(',').find_map(|option| option.strip_prefix("target=")).unwrap();
        fs::create_dir_all(format!("{target}/deploy-keys/github.com/acme")).unwrap();
        fs::write(format!("{target}/codex-auth.json"), fake_auth::chatgpt().json()).unwrap();
        fs::write(format!("{target}/deploy-keys/github.com/acme/app"), &host.key.private).unwrap();
        fs::write(format!("{target}/known_hosts"), host.known_hosts()).unwrap();

        ws.write("app/.devcontainer/install.sh", Release::publish().installer(), 0o644);
        let command = |name: &str| {
            let mut cmd =
                ws.sh(config[name].as_str().unwrap()).current_dir("app").env("PATH", AGENT_PATH);
            for (name, value) in config["containerEnv"].as_object().unwrap() {
                cmd = cmd.env(name, value.as_str().unwrap());
            }
            cmd
        };
        command("onCreateCommand").run().success();
        for _ in 0..2 {
            let started = command("postStartCommand").run().success();
            assert!(last_line(&started).starts_with("READY "), "{started}");
        }
        assert_eq!(login(ws)["tokens"]["refresh_token"], "", "a lease");
    });
}
