"""`rotkeras recipes`."""

import click


@click.command()
@click.argument("name", required=False)
def recipes(name: str | None) -> None:
    """List the built-in recipes, or print the file of the recipe NAME, to save and change.

    \b
    rotkeras recipes
    rotkeras recipes folder > mine.yaml
    """
    from rotkeras import recipe

    if name is not None:
        click.echo(recipe.find(name).read_text(encoding="utf-8"), nl=False)
        return
    shipped = recipe.shipped()
    width = max(map(len, shipped), default=0)
    for each, path in shipped.items():
        first = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        click.echo(f"{each:<{width}}  {first}")
    click.echo("\nRun one:  rotkeras train NAME        Look at one:  rotkeras recipes NAME")
    click.echo("Those that fine-tune:  rotkeras finetune TASK RUN --recipe NAME --data PATH")
