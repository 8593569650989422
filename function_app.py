"""The Azure Functions app: registers the triggers; nothing else."""

import azure.functions as func

from functions.api import api
from functions.audit import audit
from functions.customers import customers
from functions.leavers import leavers
from functions.people import people
from functions.schedule import schedule
from functions.sync import sync

app = func.FunctionApp()
for blueprint in (schedule, sync, api, customers, people, leavers, audit):
    app.register_functions(blueprint)
