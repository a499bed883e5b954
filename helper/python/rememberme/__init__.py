"""Remember Me for debuggers: what the gdb and the lldb plugin share.

Nothing in this package imports gdb or lldb; a debugger is an adapter.Adapter.
"""
