#!/usr/bin/env python3
"""trim-openapi.py PACKAGE: makes github-openapi.json and like.json from an unpacked npm package @octokit/openapi (23.0.2).

github-openapi.json keeps the operations that the Actions checks call, with every schema that they refer to: it judges our
requests (contract test). like.json has one object of each kind, GitHub's own examples, to which scenarios add what differs.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

PATHS = [
    "/repos/{owner}/{repo}",
    "/repos/{owner}/{repo}/actions/permissions",
    "/repos/{owner}/{repo}/actions/permissions/selected-actions",
    "/repos/{owner}/{repo}/actions/permissions/fork-pr-contributor-approval",
    "/repos/{owner}/{repo}/actions/permissions/fork-pr-workflows-private-repos",
    "/repos/{owner}/{repo}/actions/workflows",
    "/repos/{owner}/{repo}/actions/runs",
    "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs",
    "/repos/{owner}/{repo}/actions/runs/{run_id}/pending_deployments",
    "/repos/{owner}/{repo}/actions/runs/{run_id}/concurrency_groups",
    "/repos/{owner}/{repo}/actions/concurrency_groups/{concurrency_group_name}",
    "/repos/{owner}/{repo}/actions/runners",
    "/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations",
    "/repos/{owner}/{repo}/pulls",
    "/repos/{owner}/{repo}/pulls/{pull_number}",
    "/repos/{owner}/{repo}/rules/branches/{branch}",
    "/orgs/{org}/actions/runners",
    "/orgs/{org}/actions/runner-groups",
    "/orgs/{org}/actions/hosted-runners",
    "/orgs/{org}/actions/permissions",
    "/orgs/{org}/actions/permissions/self-hosted-runners",
]
# kind: the example, and where in it the object is
LIKE: dict[str, tuple[str, str]] = {
    "repo": ("full-repository-default-response", ""),
    "runs": ("workflow-run-paginated", "workflow_runs"),
    "jobs": ("job-paginated", "jobs"),
    "workflows": ("workflow-paginated", "workflows"),
    "runners": ("runner-paginated", "runners"),
    "runner_groups": ("runner-groups-org", "runner_groups"),
    "hosted_runners": ("actions-hosted-runner-paginated", "runners"),
    "deployments": ("pending-deployment-items", "-"),
    "groups": ("concurrency-group-run-list", "concurrency_groups"),
    "ahead": ("concurrency-group", ""),
    "annotations": ("check-annotation-items", "-"),
    "permissions": ("actions-repository-permissions", ""),
    "selected": ("selected-actions", ""),
    "org_permissions": ("actions-organization-permissions", ""),
    "fork_policy": ("actions-fork-pr-contributor-approval", ""),
    "private_fork_policy": ("actions-fork-pr-workflows-private-repos", ""),
    "pulls": ("pull-request-simple-items", "-"),
    "pull": ("pull-request", ""),
}
# what the examples lack although the schemas demand it
LACKING: dict[str, dict[str, Any]] = {
    "repo": {"language": None},
    "jobs": {"created_at": "2020-01-20T17:41:00Z"},
    "hosted_runners": {"image_details": None},
}

package = Path(sys.argv[1])
here = Path(__file__).parent
whole = json.loads((package / "generated/api.github.com.json").read_text())


def closed(paths: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The components that `paths` refers to, and those that these refer to."""
    found: dict[str, dict[str, Any]] = {}
    todo = [json.dumps(paths)]
    while todo:
        for reference in set(re.findall(r'"#/components/([^"]+)"', todo.pop())):
            kind, name = reference.split("/", 1)
            name = name.replace("~1", "/")
            if name not in found.setdefault(kind, {}):
                found[kind][name] = whole["components"][kind][name]
                todo.append(json.dumps(found[kind][name]))
    return found


paths = {path: {key: whole["paths"][path][key] for key in ("get", "parameters") if key in whole["paths"][path]}
         for path in PATHS}
for operation in paths.values():
    for extra in ("x-github", "x-octokit"):
        operation["get"].pop(extra, None)
trimmed = {key: value for key, value in whole.items() if key not in ("paths", "components", "webhooks", "x-webhooks", "tags")}
trimmed |= {"paths": paths, "components": closed(paths)}

examples = trimmed["components"]["examples"]
like: dict[str, Any] = {}
for kind, (name, place) in LIKE.items():
    value = examples[name]["value"]
    value = value if place == "" else value[0] if place == "-" else value[place][0]
    like[kind] = value | LACKING.get(kind, {})
for unneeded in ("parent", "source", "template_repository", "organization"):
    like["repo"].pop(unneeded, None)
# the examples' teams lack what the schemas demand
for kind in ("pulls", "pull"):
    like[kind]["requested_teams"] = []
like["deployments"]["reviewers"] = like["deployments"]["reviewers"][:1]

# the examples have been copied; the judge needs the schemas alone
for operation in paths.values():
    for response in operation["get"]["responses"].values():
        for content in response.get("content", {}).values():
            content.pop("examples", None)
trimmed["components"] = closed(paths)

(here / "github-openapi.json").write_text(json.dumps(trimmed, separators=(",", ":")) + "\n")
(here / "like.json").write_text(json.dumps(like, separators=(",", ":")) + "\n")
licence = (package / "LICENSE").read_text()
(here / "github-openapi.LICENSE").write_text(licence)
print(f"{len(PATHS)} paths, {len(like)} kinds")
