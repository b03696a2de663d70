import { afterAll, describe, expect, it, setDefaultTimeout } from "bun:test";
import {
  execContainer,
  findResourceInstance,
  removeContainer,
  runContainer,
  runTerraformApply,
  runTerraformInit,
  testRequiredVariables,
  type TerraformState,
} from "~test";

// install.sh of the repository pins no release: here the image has to contain the binary
process.env.TF_VAR_install = "false";

// containers and terraform take their time
setDefaultTimeout(60 * 1000);

const containers: string[] = [];
afterAll(async () => {
  for (const id of containers) {
    await removeContainer(id);
  }
});

const container = async (): Promise<string> => {
  const id = await runContainer("alpine");
  containers.push(id);
  return id;
};

// A binary that prints what it was started with. DOCTOR is the verdict of one that fails.
const installStub = async (id: string) => {
  const stub = [
    "cat >/usr/local/bin/pushready <<'END'",
    "#!/bin/sh",
    'echo "ran $*"',
    "case $1 in",
    "  apply) echo READY ;;",
    '  doctor) echo "${DOCTOR:-READY} 0.1s"; [ -z "${DOCTOR:-}" ] ;;',
    "esac",
    "END",
    "chmod +x /usr/local/bin/pushready",
  ].join("\n");
  const made = await execContainer(id, [
    "sh",
    "-c",
    `mkdir -p /usr/local/bin && ${stub}`,
  ]);
  expect(made.exitCode).toBe(0);
};

const run = async (
  id: string,
  script: string,
  env: Record<string, string> = {},
) => {
  const variables = Object.entries(env).flatMap(([name, value]) => [
    "--env",
    `${name}=${value}`,
  ]);
  const output = await execContainer(id, ["sh", "-c", script], variables);
  return { ...output, lines: output.stdout.trim().split("\n") };
};

const metadataScript = (state: TerraformState): string => {
  const metadata = state.outputs.metadata.value as { script: string };
  return metadata.script;
};

describe("pushready", async () => {
  await runTerraformInit(import.meta.dir);

  testRequiredVariables(import.meta.dir, {
    agent_id: "foo",
  });

  it("applies, proves, and ends with the doctor's verdict", async () => {
    const state = await runTerraformApply(import.meta.dir, {
      agent_id: "foo",
      wait_seconds: 5,
    });
    const id = await container();
    await installStub(id);
    const { script } = findResourceInstance(state, "coder_script", "start");
    const output = await run(id, script);
    expect(output.stderr).toBe("");
    expect(output.exitCode).toBe(0);
    expect(output.lines).toEqual([
      "ran apply",
      "ran doctor --wait 5 --short --required",
      "READY 0.1s",
    ]);
  });

  it("fails for what is required alone", async () => {
    const state = await runTerraformApply(import.meta.dir, {
      agent_id: "foo",
      require: JSON.stringify(["codex"]),
    });
    const id = await container();
    await installStub(id);
    const { script } = findResourceInstance(state, "coder_script", "start");
    const verdict = { DOCTOR: "NOT READY codex-auth-expired" };
    const lax = await run(id, script, verdict);
    expect(lax.exitCode).toBe(0);
    const strict = await run(id, script, {
      ...verdict,
      PUSHREADY_REQUIRE: "codex",
    });
    expect(strict.exitCode).toBe(1);
    expect(strict.lines.at(-1)).toBe("NOT READY codex-auth-expired 0.1s");
  });

  it("names its log in the dashboard if it cannot be installed", async () => {
    const state = await runTerraformApply(import.meta.dir, {
      agent_id: "foo",
    });
    const id = await container();
    const before = await run(id, metadataScript(state));
    expect(before.stdout).toBe("starting\n");
    const { script } = findResourceInstance(state, "coder_script", "start");
    const output = await run(id, script);
    expect(output.exitCode).toBe(0);
    expect(output.lines.at(-1)).toBe(
      "NOT READY pushready could not be installed",
    );
    const after = await run(id, metadataScript(state));
    const log = after.stdout.match(
      /^not ready: pushready is not installed: see (\S+)\n$/,
    )?.[1];
    expect(log).toBeDefined();
    const text = await execContainer(id, ["cat", log as string]);
    expect(text.stdout).toContain("not on the PATH of the image");
  });

  it("has a hook that applies, proves nothing and never fails", async () => {
    const state = await runTerraformApply(import.meta.dir, {
      agent_id: "foo",
      part: "hooks",
    });
    expect(
      state.resources.some(
        (resource) =>
          resource.type === "coder_script" && resource.name === "start",
      ),
    ).toBe(false);
    const id = await container();
    const hook = state.outputs.hook.value as string;
    const without = await run(id, hook, { PUSHREADY_REQUIRE: "codex" });
    expect(without.exitCode).toBe(0);
    await installStub(id);
    const output = await run(id, hook, { PUSHREADY_REQUIRE: "codex" });
    expect(output.exitCode).toBe(0);
    expect(output.lines).toEqual(["ran apply", "READY"]);
  });

  it("writes no secret into a script", async () => {
    // not a key: what refuses it sees only the first line
    const key = `-----BEGIN OPENSSH PRIVATE KEY-----\n${"canary".repeat(9)}`;
    const state = await runTerraformApply(import.meta.dir, {
      agent_id: "foo",
      deploy_keys: JSON.stringify({ "acme/app": key }),
    });
    for (const resource of state.resources.filter(
      (resource) => resource.type === "coder_script",
    )) {
      for (const instance of resource.instances) {
        expect(JSON.stringify(instance)).not.toContain("canary");
      }
    }
    const secret = state.resources.find(
      (resource) => resource.type === "coder_env" && resource.name === "secret",
    );
    const value = secret?.instances[0].attributes.value as string;
    expect(JSON.parse(atob(value))).toEqual({ "acme/app": key });
  });

  it("keeps the login at stop, and never delays or fails it", async () => {
    const state = await runTerraformApply(import.meta.dir, {
      agent_id: "foo",
    });
    const id = await container();
    const { script } = findResourceInstance(state, "coder_script", "stop");
    expect((await run(id, script)).exitCode).toBe(0);
    await installStub(id);
    const state_folder = "/root/.local/state/pushready";
    await execContainer(id, [
      "sh",
      "-c",
      `mkdir -p ${state_folder} && echo {} >${state_folder}/receipt.json`,
    ]);
    const output = await run(id, script);
    expect(output.exitCode).toBe(0);
    expect(output.lines).toEqual(["ran apply", "READY"]);
  });
});
