"""serve.py FOLDER SLOT MODULE:APPLICATION   serves an application on a slot's socket, behind the gate."""

import importlib
import os
import runpy
import sys

import waitress
from dotenv import load_dotenv

folder, slot, entrypoint = sys.argv[1:]
load_dotenv(os.path.join(folder, "slots", slot + ".settings", ".env"))
sys.path.insert(0, os.getcwd())
module, _, name = entrypoint.partition(":")
Gate = runpy.run_path(os.path.join(folder, "gate", "gate.py"))["Gate"]
waitress.serve(
    Gate(getattr(importlib.import_module(module), name)),
    unix_socket=os.path.join(folder, "run", slot + ".sock"),
    unix_socket_perms="660",
)
