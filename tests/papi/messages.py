"""Every message that is served is called with good and with bad arguments."""

import good
import good_net
import good_plugins
import good_trace
from generic import Largest, Smallest, arguments
from harness import PID, RETVALS, Engine, run

UNIMPLEMENTED = -9

# Those by which a connection begins and ends.
OF_CONNECTIONS = {"sockclnt_create", "sockclnt_delete"}


def all_messages_are_known_and_listed():
    """What the client learnt is what the engine lists, number by number."""
    engine = Engine("list")
    table = engine.client.dump_message_table()
    assert {name: number for number, name, _ in engine.table()} == table
    learnt = {f"{name}_{message.crc[2:]}" for name, message in engine.client.messages.items()}
    assert learnt == set(table), learnt ^ set(table)
    print(f"{len(table)} messages, {len(engine.served())} of them served requests")
    engine.close()


def every_served_message_does_what_it_says():
    """Good arguments, in an order that makes sense, beside what commands show."""
    engine = Engine("good")
    for part in good.PARTS + good_net.PARTS + good_plugins.PARTS + good_trace.PARTS:
        part(engine)
    forgotten = engine.served() - engine.asked - OF_CONNECTIONS
    assert not forgotten, f"served, and not called with good arguments: {sorted(forgotten)}"
    engine.close()


def judge(engine, request, answer):
    """An answer has one of VPP's numbers, and the engine lives on."""
    replies = answer if isinstance(answer, (list, tuple)) and not hasattr(answer, "_fields") else [answer]
    for reply in replies:
        retval = getattr(reply, "retval", 0)
        # That of two messages is unsigned.
        retval -= (retval >> 31 == 1) << 32
        assert retval in RETVALS, f"{request}: {retval} is no number of VPP's"
    assert engine.api.control_ping().vpe_pid == PID


def is_unimplemented(answer):
    """What is in the table and not served is answered so; a dump of it is empty."""
    if isinstance(answer, tuple) and not hasattr(answer, "_fields"):
        reply, details = answer
        return reply.retval == UNIMPLEMENTED and not details
    return not answer or getattr(answer, "retval", UNIMPLEMENTED) == UNIMPLEMENTED


def every_message_bears_bad_arguments():
    """Fields of zeros, and of the largest values, of all requests there are, served or not."""
    engine = Engine("bad")
    served, before = engine.served() | OF_CONNECTIONS, engine.statistics()
    refused = 0
    for values in (Smallest(), Largest()):
        for request in sorted(set(engine.client.services) - OF_CONNECTIONS):
            fields = engine.client.messages[request].fields
            if engine.client.services[request]["reply"] == "null" or "client_index" not in fields or "context" not in fields:
                # None that is answered, or of clients in shared memory.
                continue
            answer = engine.ask(request, **arguments(engine.client.messages[request], values))
            judge(engine, request, answer)
            if request not in served:
                assert is_unimplemented(answer), f"{request}: {answer}"
            refused += getattr(answer, "retval", 0) != 0
    after = engine.statistics()
    for name in ("malformed messages", "messages of unknown number", "clients hung up: no messages"):
        assert after[name] == before[name], name
    print(f"{len(engine.asked)} requests twice, {refused} of them refused by a number")
    engine.close()


run([
    all_messages_are_known_and_listed,
    every_served_message_does_what_it_says,
    every_message_bears_bad_arguments,
])
