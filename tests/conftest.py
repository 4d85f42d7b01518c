"""What every test relies on."""

import signal

# A runner started in the background ignores Ctrl-C, and every process it starts inherits that: the tests
# that interrupt a command need it heard.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
