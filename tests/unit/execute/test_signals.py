"""Signals sent to this very process."""

import os
import signal
import threading

import pytest

from riskpipe.execute.signals import StopSignal, stop_on_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_drains_second_ends(number):
    former = signal.getsignal(number)
    with stop_on_signals(StopSignal()) as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        assert stop.signal_number == number
        assert not stop.immediate
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.immediate
        assert stop.signal_number == number
    assert signal.getsignal(number) is former


def test_handlers_return_after_an_error():
    former = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="inside"), stop_on_signals(StopSignal()):
        raise ValueError("inside")
    assert signal.getsignal(signal.SIGTERM) is former


def test_another_thread_installs_nothing():
    former = signal.getsignal(signal.SIGTERM)
    seen = []

    def enter():
        with stop_on_signals(StopSignal()) as stop:
            seen.append((signal.getsignal(signal.SIGTERM), stop.requested))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [(former, False)]
