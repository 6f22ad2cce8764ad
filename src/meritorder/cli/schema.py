"""`merit schema`: the JSON Schema of fleet files, for editors."""

from __future__ import annotations


def command() -> None:
    """Print the JSON Schema of fleet files.

    Editors with a YAML language server complete and check a file that begins with
    `# yaml-language-server: $schema=fleet.schema.json`.
    """
    from meritorder.cli.output import print_json
    from meritorder.fleet.file_schema import file_schema

    print_json(file_schema())
