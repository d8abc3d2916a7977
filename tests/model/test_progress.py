import io

import pytest

from narrows.model.progress import progress


def test_no_bar_where_there_is_no_terminal(capsys):
    with progress("training", 3) as advance:
        for _ in range(3):
            advance("words")
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    with progress("training", 3) as advance:
        for k in range(3):
            advance(f"epoch {k + 1}")
    assert "training" in shown.getvalue()
    assert "epoch 3" in shown.getvalue()


def test_an_error_inside_goes_through():
    with pytest.raises(KeyError), progress("training", 3):
        raise KeyError
