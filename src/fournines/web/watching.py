"""Routes of what `watch` has measured and its handlers have done: nothing but its files is read, no host is asked."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from fournines.cloud.handlers import EVENTS, SHIPPED
from fournines.cloud.names import suggest
from fournines.commands import watched
from fournines.commands.design import finite
from fournines.errors import FourninesError, UsageError
from fournines.watch.act import ask_to_resume
from fournines.web.call import Call
from fournines.web.models_watch import (
    ActionList,
    ForeseenList,
    ForeseenRow,
    HandlerRow,
    HandlersPage,
    IncidentList,
    IncidentPage,
    IncidentRow,
    Resumed,
    Stop,
    WatchedPage,
)

#: Lines of the record of actions in one answer.
ACTIONS = 500


async def availability(call: Call) -> WatchedPage:
    served, state = call.server.feed.cloud, call.server.watched

    def made() -> object:
        return finite(watched.figures_document(watched.summaries(served, state)))

    return WatchedPage.model_validate(await asyncio.to_thread(made))


async def incidents(call: Call) -> IncidentList:
    stored = await asyncio.to_thread(watched.incidents, call.server.feed.cloud, call.server.watched)
    return IncidentList.model_validate({"incidents": stored})


async def incident(call: Call) -> IncidentPage:
    served, state = call.server.feed.cloud, call.server.watched
    row, lines = await asyncio.to_thread(watched.incident, served, call.path("id"), state)
    return IncidentPage(incident=IncidentRow.model_validate(row), lines=lines)


async def handlers(call: Call) -> HandlersPage:
    served = call.server.feed.cloud
    rows = [
        HandlerRow.model_validate(
            {**asdict(h), "plan": str(h.plan or ""), "means": EVENTS[h.when], "shipped": h == SHIPPED.get(h.name)}
        )
        for h in served.handlers.values()
    ]
    acting = await asyncio.to_thread(watched.acting, served, call.server.watched)
    stops = [Stop(region=a.region, handler=h, condition=c, why=why) for a in acting for h, c, why in a.stopped]
    return HandlersPage(handlers=rows, watched={a.region: a.runs for a in acting}, stopped=stops)


async def actions(call: Call) -> ActionList:
    done = await asyncio.to_thread(watched.actions, call.server.feed.cloud, call.server.watched, ACTIONS)
    return ActionList(actions=done)


async def foreseen(call: Call) -> ForeseenList:
    """A dry run against what the agents say now."""
    await call.server.feed.now()
    seen = call.server.feed.following().seen()
    found = await asyncio.to_thread(watched.foreseen, seen, call.server.watched)
    rows = [
        ForeseenRow(
            region=region,
            handler=f.handler,
            condition=str(f.condition),
            text=f.condition.text,
            do=list(f.do),
            holds=f.holds,
        )
        for region, f in found
    ]
    return ForeseenList(foreseen=rows)


async def resume(call: Call) -> Resumed:
    """By the watch that runs, within a second, or by the next one."""
    served, name = call.server.feed.cloud, call.path("name")
    if name not in served.handlers:
        raise UsageError(f"{served.name} has no handler {name}", next=suggest(name, served.handlers))
    for region in served.regions.values():
        folder = watched.directory(served, region, call.server.watched)
        try:
            await asyncio.to_thread(ask_to_resume, folder, name)
        except OSError as error:
            raise FourninesError(f"{folder} cannot be written", why=error.strerror or str(error)) from error
    return Resumed(handler=name, regions=list(served.regions))
