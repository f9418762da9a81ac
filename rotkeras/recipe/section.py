"""What every section of a recipe is."""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from rotkeras.arguments.accepted import STRICT
from rotkeras.arguments.sentences import clause, complete
from rotkeras.errors import UserError, nearest

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


class _Refusing(ModelMetaclass):
    """Sections that are made in Python refuse what a recipe refuses, in the same sentence."""

    def __call__(self, *positional: Any, **settings: Any) -> Any:
        try:
            return super().__call__(*positional, **settings)
        except ValidationError as error:
            mistake = error.errors()[0]
            if mistake["type"] == "extra_forbidden":
                key = str(mistake["loc"][-1])
                hint = nearest(key, getattr(self, "model_fields"))  # noqa: B009
                raise UserError(f"{self.__name__} has no setting {key!r}; {hint}") from None
            path = ".".join(map(str, mistake["loc"])) or self.__name__
            raise UserError(complete(path, clause(mistake))) from None


class Section(BaseModel, metaclass=_Refusing):
    """A frozen section that refuses unknown keys and converts nothing but whole numbers to
    floats.

    Raises:
        UserError: when it is made in Python with settings that it does not have or accept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, **STRICT)
