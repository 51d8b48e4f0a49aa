"""Carries jobs out and tells what became of them: what `sync`, `mirror`, `plan`, `run` and `adopt` have in common."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict

from syncline import log
from syncline.cli import progress, show, terminal
from syncline.cli.call import Call
from syncline.cli.options import Manner
from syncline.cli.signals import Stop, stopping
from syncline.compose import Desk
from syncline.core.model import SIDES, ActionDone, ActionFailed, Event, Outcome, RunFinished, RunStarted
from syncline.core.names import pasted
from syncline.core.report import Report, action_name, error_document, worst
from syncline.engine import Ask
from syncline.errors import Interrupted, SynclineError, UsageError
from syncline.jobs.kind import Job

Pick = Callable[[Desk], Sequence[Job]]
Act = Callable[[Desk, Job, Ask], Iterator[Event]]

_NOT_REPEATED = frozenset({"-n", "--dry-run", "--json", "-v", "--verbose", "-q", "--quiet"})
_WITH_VALUE = frozenset(
    {
        "--approve",
        "--exclude",
        "--changed-both",
        "--created-both",
        "--props-both",
        "--compare",
        "--trash-max-size",
        "--extras",
        "--keep",
        "--run",
        "--to",
        "--from",
        "--older-than",
        "--max-size",
        "--config",
        "--state-dir",
    }
)


def carry_out(call: Call, manner: Manner, pick: Pick, act: Act = Desk.run) -> int:
    """Do, or plan, the jobs that `pick` finds; the exit code. A plan and a dry run leave no trace but in the log."""
    if manner.verbose and manner.quiet:
        raise UsageError("-v and -q contradict each other")
    write = not manner.dry_run
    with stopping() as stop:
        configuration = call.configuration(keep=write)
        log.setup(call.state_dir(), manner.verbose, write, **asdict(configuration.log))
        try:
            with Desk.open(call.state_dir(), write=write, interrupted=stop.number, configuration=configuration) as desk:
                _tell_notes(call, desk)
                jobs = pick(desk)
                for note in () if all(job.adhoc for job in jobs) else configuration.notes:
                    call.say(f"syncline: {note}")
                ask = Ask(manner.dry_run, manner.approve, manner.full)
                conduct = _Conduct(call, manner, desk, ask, act, stop)
                return conduct.only(jobs[0]) if len(jobs) == 1 else conduct.each(jobs)
        finally:
            log.close()


class _Conduct:
    """Runs jobs one after the other and tells of each."""

    def __init__(self, call: Call, manner: Manner, desk: Desk, ask: Ask, act: Act, stop: Stop) -> None:
        self.call, self.manner, self.desk, self.ask, self.act, self.stop = call, manner, desk, ask, act, stop

    def only(self, job: Job) -> int:
        """One job; its exit code."""
        report = self.report(job)
        with self.stop.telling():
            self.call.answered = True
            self._tell(report)
            if self.manner.json:
                self.call.write(["\n"])
            self.call.flush()
        return report.exit_code()

    def each(self, jobs: Sequence[Job]) -> int:
        """Several jobs; what goes wrong with one does not keep the next from running."""
        codes: list[int] = []
        if self.manner.json:
            self.call.answered = True
            self.call.write(['{"jobs": ['])
        for job in jobs:
            stopped = self.stop.number()
            if stopped is not None:
                codes.append(Interrupted(stopped).exit_code)
                break
            if codes and (self.manner.json or not self.manner.quiet):
                self.call.write([", " if self.manner.json else "\n"])
            codes.append(self._one_of_several(job, [each.name for each in jobs]))
        if self.manner.json:
            self.call.write(["]}\n"])
        return worst(codes)

    def report(self, job: Job) -> Report:
        """Run one job to its end, whichever it is. Raises: UsageError."""
        roots = {side: job.root(side) for side in SIDES}
        report = Report(job.name, job.kind.name, roots, job.kind.root_names, self.manner.dry_run)
        started = time.monotonic()
        try:
            with (
                self.stop.at_once() if self.manner.dry_run else nullcontext(),
                progress.bar(not self.manner.json and not self.manner.quiet) as bar,
            ):
                for event in self.act(self.desk, job, self.ask):
                    report.add(event)
                    bar.update(event)
                    self._note(report, event)
        except UsageError:
            raise
        except SynclineError as error:
            report.fail(error)
            _log(report).error("%s", error.message)
        if report.error is not None:
            report.seconds = time.monotonic() - started
        return report

    def _one_of_several(self, job: Job, among: Sequence[str]) -> int:
        try:
            report = self.report(job)
        except UsageError as error:
            self.call.tell(error)
            if self.manner.json:
                self.call.write([json.dumps(error_document([error]))])
            return error.exit_code
        except Exception as error:  # noqa: BLE001  one job's fault is told, and the next one runs
            told = self.call.fault(error)
            if self.manner.json:
                self.call.write([json.dumps(error_document([told]))])
            return 4
        with self.stop.telling():
            self._tell(report, among)
        return report.exit_code()

    def _note(self, report: Report, event: Event) -> None:
        match event:
            case RunStarted(run, plan):
                for note in plan.notes:
                    self.call.say(f"syncline: {note}")
                    _log(report).warning("%s", note)
                told = "run started" if run is not None else "looked at both sides"
                _log(report).info("%s: plan %s, %d actions", told, plan.id, len(plan.actions))
            case ActionDone(action=action):
                _log(report).debug("%s %s: %s", action_name(action), action.at.side.value, action.at.path)
            case ActionFailed(action=action, problem=problem, skipped=skipped):
                word = "left alone" if skipped else "failed"
                place = f"{action.at.side.value}: {action.at.path}"
                _log(report).warning("%s: %s %s: %s", word, action_name(action), place, problem.detail)
            case RunFinished(outcome=outcome, seconds=seconds, notes=notes, warnings=warnings):
                for note in notes:
                    _log(report).info("%s", note)
                    if not self.manner.quiet:
                        self.call.say(f"syncline: {report.job}: {note}")
                for warning in warnings:
                    _log(report).warning("%s", warning)
                    self.call.say(f"syncline: {report.job}: {warning}")
                for problem in report.problems:
                    where = f"{problem.place.side.value}: {problem.place.path}"
                    _log(report).info("problem: %s: %s: %s", where, problem.reason.value, problem.detail)
                for objection in report.objections:
                    _log(report).warning("objection: %s: %s", objection.guard.value, objection.detail)
                _log(report).info("%s in %.2f s", outcome.value, seconds)
            case _:
                pass

    def _tell(self, report: Report, among: Sequence[str] = ()) -> None:
        again = again_command(self.call.args, without=[name for name in among if name != report.job])
        if self.manner.json:
            self.call.write(report.chunks())
            self._say_why(report, again)
            return
        screen = terminal.screen(self.call)
        if report.error is None or report.plan is not None:
            with terminal.pages(self.call, whole=self.manner.verbose and self.manner.dry_run) as pages:
                show.run(
                    pages,
                    report.head(),
                    report.rows,
                    verbose=self.manner.verbose,
                    quiet=self.manner.quiet,
                    again=again,
                    besides=report.besides,
                )
        if report.outcome is Outcome.REFUSED and report.objections:
            screen = screen if self.manner.dry_run else terminal.screen(self.call, error=True)
            if report.plan is None:
                show.head(screen, report.head())
            show.refusal(screen, report.objections, again)
        elif not (isinstance(report.error, Interrupted) and report.plan is not None):  # then the last line said so
            self._say_why(report, again)

    def _say_why(self, report: Report, again: str) -> None:
        """What kept a run from being done, for whoever reads standard error only."""
        if report.error is not None:
            hint = report.error.hint
            if "syncline " not in hint:
                hint = f"{hint}; then: {again}" if hint else again
            self.call.tell(SynclineError(f"{report.job}: {report.error.message}", hint=hint))
        elif not self.manner.dry_run:
            for objection in report.objections:
                told = f"{report.job}: refused ({objection.guard.value}): {objection.detail}"
                self.call.tell(SynclineError(told, hint=objection.remedy))


def again_command(args: Sequence[str], without: Collection[str] = ()) -> str:
    """The command that really does what was asked for, as a person can paste it; `without` some jobs' names."""
    kept: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            kept += [word, *rest]
            break
        if word in _NOT_REPEATED or (word[:1] == "-" and word[1:2] != "-" and word[1:] and set(word[1:]) <= set("nvq")):
            continue
        value = [rest.pop(0)] if word in _WITH_VALUE and rest else []
        if not word.startswith("--approve"):
            kept += [word, *value]
    for position, word in enumerate(kept):
        if word in ("plan", "check", "dry-run"):
            kept[position] = "run"
            break
        if word in ("run", "resync", "sync", "mirror", "adopt", "resolve", "trash", "undo"):
            break
    return " ".join(["syncline", *(pasted(word) for word in kept if word not in without)])


def _tell_notes(call: Call, desk: Desk) -> None:
    for note in desk.notes:
        call.say(f"syncline: {note}")
        log.part("state").warning("%s", note)


def _log(report: Report) -> log.Adapter:
    return log.bound("run", run=report.run, job=report.job)
