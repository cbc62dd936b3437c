"""What every domain must do: inherit `DomainContract` and give one factory method."""

import numpy as np

from lmgt_core.audit.audit import Probe
from lmgt_core.guidance.domain import Domain, LendsPlayRates
from lmgt_core.judging.description import Description
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate


class DomainContract:
    """The contract of `lmgt_core.guidance.domain.Domain`; override `make_domain`, and the rest where it is needed."""

    strategy = "zero-shot"

    def make_domain(self) -> Domain:
        raise NotImplementedError("give the domain to be tested")

    def probes(self, seed: int = 0) -> list[Probe]:
        """The domain's probes, drawn with this seed."""
        domain = self.make_domain()
        return list(domain.probes(self.template().render, np.random.default_rng(seed)))

    def template(self) -> PromptTemplate:
        return self.make_domain().template(self.strategy)

    def test_its_name_is_one_line(self) -> None:
        assert self.make_domain().name.isprintable() and self.make_domain().name

    def test_its_template_asks_about_state_and_action(self) -> None:
        prompt = self.template().render(Description("THE STATE", "THE ACTION"))
        assert isinstance(prompt, Prompt) and "THE STATE" in prompt.user and "THE ACTION" in prompt.user

    def test_its_probes_are_labelled_good_neutral_or_bad(self) -> None:
        assert {p.label for p in self.probes()} <= {Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD}
        assert all(p.group for p in self.probes())

    def test_equal_seeds_draw_equal_probes(self) -> None:
        first, second = self.probes(), self.probes()
        assert [(p.prompt.digest, p.label, p.group) for p in first] == [
            (p.prompt.digest, p.label, p.group) for p in second
        ]

    def test_its_expert_agrees_with_its_probes(self) -> None:
        expert = self.make_domain().context().oracle
        for probe in self.probes() if expert is not None else []:
            assert expert is not None and expert(probe.prompt) is probe.label

    def test_good_and_bad_are_labelled_about_equally_often(self) -> None:
        labels = [p.label for p in self.probes()]
        good, bad = labels.count(Verdict.GOOD), labels.count(Verdict.BAD)
        assert not labels or (good and bad and max(good, bad) <= 2 * min(good, bad))

    def test_everything_that_can_be_asked_is_listed_once(self) -> None:
        questions = self.make_domain().questions()
        digests = [self.template().render(d).digest for d in questions or ()]
        assert len(digests) == len(set(digests))

    def test_its_rates_of_play_are_of_labels_that_its_probes_have(self) -> None:
        domain = self.make_domain()
        rates = domain.play_rates() if isinstance(domain, LendsPlayRates) else None
        met = {label for label, rate in rates.numbers.items() if rate} if rates is not None else set()
        assert met <= {probe.label for probe in self.probes()}

    def test_nothing_is_described_where_there_is_no_decision(self) -> None:
        assert list(self.make_domain().describer()([], [], [])) == []
