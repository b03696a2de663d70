"""Stand-ins for the providers of a Coder template, so that modules and examples are planned and applied without a network.

    provider.py coder|docker

Attributes are those of coder/coder v2.20 (docs/resources, docs/data-sources of coder/terraform-provider-coder) and of
kreuzwerker/docker v3, as far as the examples use them: a misspelt one, a missing one and a wrong type are errors here as there.
What a data source answers comes from the environment, as Coder's provisioner hands it over (CODER_WORKSPACE_NAME and so on).
It proves a template against this reading of the schemas, not against Coder's own binary."""

import os
import sys
import uuid

from tf import runner
from tf.gen import tfplugin_pb2
from tf.iface import DataSource, Provider, Resource
from tf.schema import Attribute, Block, NestedBlock, Schema
from tf.types import Bool, List, Map, Number, Set, String

TYPES = {
    "string": String(),
    "bool": Bool(),
    "number": Number(),
    "strings": List(String()),
    "set": Set(String()),
    "map": Map(String()),
}
NESTING = tfplugin_pb2.Schema.NestedBlock.NestingMode


class Blocks(NestedBlock):
    """Nested blocks in their order; the package itself knows sets alone."""

    def __init__(self, name, nesting, attributes):
        super().__init__(name, None, Block(attributes=attributes))
        self.nesting = nesting

    def to_pb(self):
        return tfplugin_pb2.Schema.NestedBlock(type_name=self.type_name, block=self.block.to_pb(), nesting=self.nesting)

    def encode(self, value):
        return value

    def decode(self, value):
        return value

    def semantically_equal(self, a_decoded, b_decoded):
        return a_decoded == b_decoded


def attributes(required=(), optional=(), computed=(), sensitive=()):
    """Each is a line of `name` or `name:type`, a string where no type is given."""
    made = []
    for names, how in ((required, "required"), (optional, "optional"), (computed, "computed")):
        for name in names.split() if names else ():
            name, _, kind = name.partition(":")
            secret = name in sensitive
            made.append(Attribute(name, TYPES[kind or "string"], sensitive=secret, **{how: True}))
    return made


class Kind:
    """A resource or a data source: what Terraform calls it, its schema, what is answered and what is refused."""

    def __init__(self, name, schema, blocks=(), answer=None, refuse=None):
        self.name, self.attributes, self.blocks = name, schema, list(blocks)
        self.answer, self.refuse = answer or (lambda: {}), refuse or (lambda given: None)

    def schema(self):
        own = [] if any(a.name == "id" for a in self.attributes) else [Attribute("id", String(), computed=True)]
        return Schema(version=1, attributes=own + self.attributes, block_types=self.blocks)


def resource(kind):
    class Made(Resource):
        def __init__(self, provider):
            pass

        @classmethod
        def get_name(cls):
            return kind.name

        @classmethod
        def get_schema(cls):
            return kind.schema()

        def create(self, ctx, planned):
            refusal = kind.refuse(planned)
            if refusal:
                ctx.diagnostics.add_error(refusal)
                return None
            made = dict(planned, id=str(uuid.uuid4()))
            for attribute in kind.attributes:
                if attribute.computed:
                    made[attribute.name] = kind.answer().get(attribute.name, "stand-in")
            return made

        def read(self, ctx, current):
            return current

        def update(self, ctx, current, planned):
            return planned

        def delete(self, ctx, current):
            pass

    return Made


def data_source(kind):
    class Made(DataSource):
        def __init__(self, provider):
            pass

        @classmethod
        def get_name(cls):
            return kind.name

        @classmethod
        def get_schema(cls):
            return kind.schema()

        def read(self, ctx, config):
            return dict(config, id=kind.answer().get("id", "stand-in"), **{k: v for k, v in kind.answer().items() if k != "id"})

    return Made


def workspace():
    prebuild = os.environ.get("CODER_WORKSPACE_IS_PREBUILD") == "true"
    transition = os.environ.get("CODER_WORKSPACE_TRANSITION", "start")
    return {
        "id": os.environ.get("CODER_WORKSPACE_ID", "497f6eca-6276-4993-bfeb-53cbbbba6f08"),
        "name": os.environ.get("CODER_WORKSPACE_NAME", "work"),
        "access_url": "https://coder.example.com",
        "transition": transition,
        "start_count": 1 if transition == "start" else 0,
        "is_prebuild": prebuild,
        "is_prebuild_claim": os.environ.get("CODER_WORKSPACE_IS_PREBUILD_CLAIM") == "true",
        "prebuild_count": 1 if prebuild else 0,
    }


def script_refusal(given):
    if not (given.get("run_on_start") or given.get("run_on_stop") or given.get("cron")):
        return 'at least one of "run_on_start", "run_on_stop", or "cron" must be set'
    if given.get("cron") and len(given["cron"].split()) != 6:
        return f'{given["cron"]} is not a valid cron expression: expected exactly 6 fields'
    return None


CODER_RESOURCES = [
    Kind(
        "agent",
        attributes(
            required="arch os",
            optional="api_key_scope dir env:map startup_script shutdown_script connection_timeout:number",
            computed="token init_script",
            sensitive=("token",),
        ),
        blocks=[
            Blocks("metadata", NESTING.LIST, attributes("key script interval:number", "display_name timeout:number order:number"))
        ],
    ),
    Kind(
        "script",
        attributes(
            "agent_id display_name script",
            "icon cron log_path run_on_start:bool run_on_stop:bool start_blocks_login:bool timeout:number",
        ),
        refuse=script_refusal,
    ),
    Kind("env", attributes("agent_id name", "value merge_strategy")),
    Kind("app", attributes("agent_id slug", "display_name url command icon share subdomain:bool")),
    Kind("ai_task", attributes(optional="app_id", computed="prompt enabled:bool"), answer=lambda: {"prompt": "", "enabled": True}),
]
CODER_DATA = [
    Kind(
        "workspace",
        attributes(
            computed="name access_url transition start_count:number prebuild_count:number is_prebuild:bool is_prebuild_claim:bool"
        ),
        answer=workspace,
    ),
    Kind(
        "workspace_owner",
        attributes(computed="name full_name email session_token", sensitive=("session_token",)),
        answer=lambda: {"name": "dev", "full_name": "Dev", "email": "dev@example.com", "session_token": ""},
    ),
    Kind("task", attributes(computed="enabled:bool prompt"), answer=lambda: {"enabled": True, "prompt": "do it"}),
    Kind(
        "script_order",
        [],
        blocks=[Blocks("rule", NESTING.LIST, attributes("run:strings after:strings", "requires phase"))],
    ),
]
DOCKER_RESOURCES = [
    Kind("volume", attributes("name")),
    Kind(
        "container",
        attributes("image name", "hostname env:set entrypoint:strings command:strings"),
        blocks=[
            Blocks("host", NESTING.SET, attributes("host ip")),
            Blocks("volumes", NESTING.SET, attributes(optional="container_path volume_name read_only:bool")),
        ],
    ),
]


class StandIn(Provider):
    def __init__(self, name, source, resources, data):
        self.name, self.source = name, source
        self.resources, self.data = [resource(kind) for kind in resources], [data_source(kind) for kind in data]

    def get_model_prefix(self):
        return f"{self.name}_"

    def full_name(self):
        return f"registry.terraform.io/{self.source}"

    def get_provider_schema(self, diags):
        return Schema(version=1, attributes=[Attribute("url", String(), optional=True)])

    def validate_config(self, diags, config):
        pass

    def configure_provider(self, diags, config):
        pass

    def get_data_sources(self):
        return self.data

    def get_resources(self):
        return self.resources


if __name__ == "__main__":
    if sys.argv[1] == "coder":
        provider = StandIn("coder", "coder/coder", CODER_RESOURCES, CODER_DATA)
    else:
        provider = StandIn("docker", "kreuzwerker/docker", DOCKER_RESOURCES, [])
    runner.run_provider(provider, sys.argv)
