from __future__ import annotations

from datetime import timedelta

from sentinel_operator.cli.follow import Seen
from sentinel_operator.cli.view import View
from tests.unit.cli.recording import NOW, printed, recorded


def test_a_line_a_change_and_none_for_what_stays_the_same() -> None:
    view = View("sentrymodel/fraud")
    lines = []
    for second, case in enumerate(["unobserved", "rolling", "rolling", "ready"]):
        change = view.take(Seen(recorded(case)), NOW + timedelta(seconds=second))
        lines += [view.plain(change)] if change else []
    label, delivered = "sentrymodel/fraud", "revision df7b6868 (1.0.0) serves with 2 pods"
    coming = "revision 7e5c2116 (1.1.0): 1 of 2 pods ready; revision df7b6868 (1.0.0) goes on serving"
    unseen = "the operator has not looked at generation 1 yet"
    assert lines == [
        f"2025-03-01T12:00:00Z {label} Ready=Unknown NotObserved 0/2: {unseen}",
        f"2025-03-01T12:00:01Z {label} Ready=False Progressing 2/2 1.0.0 → 1.1.0: {coming}",
        f"2025-03-01T12:00:03Z {label} Ready=True Ready 2/2 1.0.0: {delivered}",
    ]


def test_the_picture_of_a_terminal_has_the_object_now_and_how_it_came_to_that() -> None:
    view = View("sentrymodel/fraud", footer="Watching until Ready=True.")
    view.take(Seen(recorded("unobserved")), NOW)
    view.take(Seen(recorded("rolling")), NOW + timedelta(seconds=30))
    text = printed(view.lines(NOW + timedelta(seconds=40)))
    assert text.startswith("Serving 1.0.0 with 1 pod and 1.1.0 with 1 pod; 2 wanted.")
    assert "  version         1.0.0                  1.1.0\n" in text
    assert "  40s ago   Ready=Unknown NotObserved" in text
    assert "  10s ago   Ready=False Progressing" in text
    assert text.endswith("\nWatching until Ready=True.\n")


def test_while_a_rollout_runs_the_picture_is_of_it_and_a_line_has_its_share() -> None:
    view = View("sentrymodel/fraud")
    change = view.take(Seen(recorded("canary")), NOW)
    assert change is not None
    assert " Progressing 5/4 1.0.0 → 2.0.0 20%: revision be758d0f, step 1 of 7 (analysis)" in view.plain(change)
    text = printed(view.lines(NOW))
    assert "  ▸   1   analysis               1 beside 4 pods        for 60s of about 2m30s\n" in text
    assert "  next       weight 50%, when the analysis passes, in about 90s\n" in text


def test_a_lost_connection_is_told_once_and_what_was_seen_stays() -> None:
    view = View("sentrymodel/fraud")
    view.take(Seen(recorded("ready")), NOW)
    assert view.take(Seen(recorded("ready"), trouble="connection refused"), NOW)
    assert view.take(Seen(recorded("ready"), trouble="connection refused"), NOW) is None
    text = printed(view.lines(NOW))
    assert text.startswith("Serving 1.0.0 with 2 of 2 pods.")
    assert "This may be old: connection refused" in text


def test_before_the_first_answer_and_after_the_end() -> None:
    view = View("sentrymodel/fraud")
    assert printed(view.lines(NOW)) == "Asking for sentrymodel/fraud.\n"
    change = view.take(Seen(None), NOW)
    assert change is not None
    assert view.plain(change) == "2025-03-01T12:00:00Z sentrymodel/fraud is not there"
    assert "sentrymodel/fraud is not there" in printed(view.lines(NOW))


def test_a_long_watch_remembers_the_last_changes_only() -> None:
    view = View("sentrymodel/fraud")
    for index in range(50):
        view.take(Seen(recorded("ready"), trouble=f"fault {index}"), NOW)
    assert len(view.changes) == 10
    assert view.changes[-1].text.endswith("fault 49")
