"""`rotkeras schema`."""

import click


@click.command()
def schema() -> None:
    """Print the JSON schema of recipes: every key, its type, default and meaning.

    Editors complete recipes from it: save it as recipe.schema.json and begin a recipe with

    \b
    # yaml-language-server: $schema=recipe.schema.json
    """
    import json

    from rotkeras.recipe import Recipe

    content = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Recipe.model_json_schema(),
    }
    click.echo(json.dumps(content, indent=2))
