"""What every figure on a page means. Pages are made from run folders, where no app is loaded: all stand here.

Names are those of the columns, with spaces for underscores.
"""

import re
from collections.abc import Mapping

METRICS: Mapping[str, str] = {
    # every app
    "return": "Sum of the task's own rewards over an episode, in the task's units; no shift is in it.",
    "length": "Decisions in an episode.",
    "steps": "Decisions that were taken.",
    "decisions": "Decisions taken in training so far, over all episodes.",
    "decisions needed (those seeds)": "Decisions until an evaluation first reached the threshold; not every seed does.",
    "with judge": "Interquartile mean over the seeds of the run with the judge, at its last evaluation.",
    "without": "The same of the run without a judge that has the nearest settings.",
    "P(higher than without)": "How likely a seed with the judge is higher than one without; ties count half.",
    "P": "How likely a seed beats one of the baseline in the first metric; ties count half.",
    "ci95": "95 % bootstrap interval.",
    # a judge's audit
    "probes": "Questions whose answers are known, asked before training.",
    "n": "How many questions, seeds or episodes a figure rests on.",
    "accuracy": "Share of the labelled questions that the judge answered right.",
    "accuracy of the commonest label": "What always giving the most frequent answer would reach.",
    "of always giving the most frequent label": "The accuracy that always giving the most frequent answer would reach.",
    "AUC": "How likely a good decision gets a higher P(good) - P(bad) than a bad one; .5 is chance.",
    "AUC ci95": "95 % interval of the AUC.",
    "AUC of P(good) - P(bad)": "How likely a good decision gets a higher value than a bad one; .5 is chance.",
    "precision": "Share of right verdicts among those that the gate lets through.",
    "held-out precision": "Precision on questions that did not choose the gate's thresholds.",
    "precision ci95": "95 % interval of the precision.",
    "min precision": "The precision that was demanded of the gate.",
    "coverage": "Share of the questions on which the gate lets the judge speak.",
    "gate": "What holds a judge back where it is not surely right.",
    "silent": "Whether the gate holds the judge back altogether.",
    "speaks from": "Confidence from which this verdict is let through; absent: never.",
    "held-out answers": "Answers let through on questions that did not choose the threshold.",
    "bias": "Mean label given minus mean true label (+1 good, -1 bad).",
    "judgments per second": "Questions that the judge answers in a second.",
    "seconds a judgment": "Wall-clock seconds for an answer.",
    "seconds per judgment": "Wall-clock seconds for an answer.",
    "tokens per judgment": "Tokens read and written for an answer.",
    # overhead
    "judgments": "Decisions that were judged.",
    "cache hits": "Judgments that were looked up, not asked.",
    "unreadable": "Answers that could not be understood; they shift by 0.",
    "abstained": "Answers held back by the gate or a budget; they shift by 0.",
    "judge seconds": "Wall-clock seconds spent waiting for the judge.",
    "training seconds": "Wall-clock seconds of all seeds, one after the other.",
    "judge's share of time": "Judge seconds divided by training seconds.",
    # Housekeep
    "object success": "Share of the objects misplaced at the start that lie right at the end.",
    "net success": "Objects right at the end minus those right at the start, divided by the misplaced ones.",
    "episode success": "1 where every object lies right at the end, else 0.",
    "misplaced found": "Share of the misplaced objects that were seen.",
    "map coverage": "Share of the home's floor that was seen.",
    "all objects right": "Share of all objects that lie right at the end.",
    "soft score": "Mean share of annotators who would put an object where it ended.",
    "rearrange quality": "Mean reciprocal rank, over annotators, of where objects that lie right ended.",
    "pick place efficiency": "Mean over touched objects of 2 / interactions for a mended one, else 0.",
    "path efficiency": "Shortest path divided by the path walked, while an object was carried.",
    "failed grabs": "Attempts to pick or place that did nothing.",
    # SlateQ
    "click rate": "Share of the slates of which a document was clicked.",
    "quality": "Mean quality of the documents clicked.",
    "diversity": "How many topics the clicks are spread over (exponential of their entropy).",
    "click through rate": "Clicks divided by documents shown; from 0 to 1 / slate size.",
    "ndcg": "Discounted gain of the slates by the user's true interest, over that of the best slates; 0 to 1.",
    "catalogue coverage": "Share of the topics of which the session showed a document; 0 to 1.",
    "intra list diversity": "Share of pairs of documents in a slate whose topics differ; 0 to 1.",
    "novelty": "Bits of surprise of a topic shown: minus log2 of its share of what the session showed before.",
    "worst regret": "The most that a policy's mean return is behind the best unprivileged one's under any user model.",
    "minus the first": "Difference to the first policy on the same users, in return.",
    # control, tabular
    "win rate": "Share of the games won.",
    "optimal decisions": "Share of the decisions that the best policy takes too.",
    # comparisons of captions and pictures
    "caption exact": "Share of the captions that say exactly what is there.",
    "judgment accuracy": "Share of all questions answered right; one without a readable answer counts as wrong.",
    "answered": "Share of the questions with a readable answer.",
    "lost in caption": "Share of the questions answered wrong because the caption is wrong.",
    "lost in judging": "Share of the questions answered wrong though the caption is right.",
    "gained by luck": "Share of the questions answered right though the caption is wrong.",
    "return mean": "Mean return of evaluations over seeds, without any shift.",
    "memory mb": "Memory that the arm took, in megabytes.",
}
_KNOWN = {name.casefold(): about for name, about in METRICS.items()}
_SPLIT = re.compile(r" (?:on |of )?\(?(?:seen|unseen|validation|train|val|test)\b.*| ci95$")


def explanation(name: str) -> str:
    """What the metric of this column means, "" for what is none; `object_success_unseen` is object success."""
    words = name.replace("_", " ").strip().casefold()
    return _KNOWN.get(words) or _KNOWN.get(_SPLIT.sub("", words), "")
