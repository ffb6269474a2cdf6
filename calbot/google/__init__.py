"""Google's calendar service, spoken to through its official client."""

import importlib
import sys
from types import ModuleType


class _PutOff(ModuleType):
    """Stands for a module until something of it is used."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


# It reads challenges with pyparsing (4 MiB and 60 ms), which nobody has it do: our transport is not httplib2's.
sys.modules.setdefault("httplib2.auth", _PutOff("httplib2.auth"))
