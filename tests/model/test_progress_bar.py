import io

import pytest

from narrows.model.progress_bar import progress_bar


def test_no_bar_if_there_is_no_terminal(capsys):
    with progress_bar("training", 3) as advance:
        for _ in range(3):
            advance(lambda: pytest.fail("nobody reads them"))
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def a_terminal(monkeypatch):
    """Errors go to a terminal from here on (in the test itself, since pytest sets its own before it)."""
    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    return shown


def test_a_bar_on_a_terminal(monkeypatch):
    terminal = a_terminal(monkeypatch)
    monkeypatch.setattr("narrows.model.progress_bar.OFTEN", 0.0)
    with progress_bar("training", 3) as advance:
        for k in range(3):
            advance(lambda: f"epoch {k + 1}")  # noqa: B023
    assert "training" in terminal.getvalue()
    assert "epoch 3" in terminal.getvalue()


def test_a_bar_resumes_from_where_it_was(monkeypatch):
    a_terminal(monkeypatch)
    begun = []
    monkeypatch.setattr(
        "rich.progress.Progress.add_task", lambda self, what, **how: begun.append(how)
    )
    with progress_bar("training", 3, 2):
        pass
    assert (begun[0]["total"], begun[0]["completed"]) == (3, 2)


def test_words_are_asked_for_now_and_then(monkeypatch):
    a_terminal(monkeypatch)
    asked = []
    with progress_bar("training", 1000) as advance:
        for _ in range(1000):
            advance(lambda: asked.append(1) or "words")
    assert 1 <= len(asked) < 100


def test_an_error_inside_goes_through():
    with pytest.raises(KeyError), progress_bar("training", 3):
        raise KeyError
