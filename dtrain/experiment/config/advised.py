"""Say what the lesson advises against in the words of the file, at the places where the user wrote it."""

from __future__ import annotations

from dataclasses import dataclass

from dtrain.experiment.advice.findings import Finding
from dtrain.experiment.advice.rule import NETWORK
from dtrain.experiment.config.problems import as_written, contradiction_problem, is_written
from dtrain.experiment.config.yaml_reader import Document
from dtrain.experiment.techniques.technique import Contradiction
from dtrain.ground.errors import Problem
from dtrain.ground.printable import KeyPath, dotted


@dataclass(frozen=True)
class Advice(Problem):
    """Something that is allowed and that the lesson advises against.

    Args:
        rule: The name of its rule.
    """

    rule: str = ""

    def __str__(self) -> str:
        return f"{super().__str__()} [{self.rule}]"

    @property
    def warning(self) -> str:
        """The advice and its fix as one sentence."""
        return f"{self}; {self.hint}"


def placed(finding: Finding, document: Document) -> Advice:
    """Returns a finding with the places that it is about.

    Args:
        finding: What the experiment does not follow.
        document: What the user wrote.
    """
    path, *others = finding.places
    received, *besides = finding.received
    partners = " and ".join(_beside(other, beside, document) for other, beside in zip(others, besides, strict=True))
    message = f"got {received}{' with ' if partners else ''}{partners}; {finding.rule.reason}"
    problem = contradiction_problem(path, Contradiction((), message, finding.rule.fix), document)
    return Advice(problem.message, problem.where, problem.hint, finding.rule.name)


def _beside(path: KeyPath, received: str, document: Document) -> str:
    if is_written(path, document):
        return f"{received} ({as_written(path, document).where})"
    return f"{received} (the default)" if path == NETWORK else f"the default {dotted(path)} {received}"
