"""An instance's epochs as they were posted, headers and all.

An epoch that was overturned stays, and is there again when it is posted anew. Overturning one takes back all that were
posted after it; those fell with it and were not proved wrong themselves.
"""

from __future__ import annotations

import binascii

from fedblocks.chain.events import ChainEvent
from fedblocks.contracts.model_parameter_chain import EpochFinalized, EpochOverturned, EpochSubmitted
from fedblocks.monitor.projections.projection import Entry, Keys, State


def _instance(event: EpochSubmitted) -> tuple[str]:
    return (str(event.instance_id),)


class Epochs:
    """The epochs of version 2's instances."""

    kind = "epochs"

    def __init__(self) -> None:
        kinds = (EpochSubmitted, EpochFinalized, EpochOverturned)
        self.routes: dict[type[ChainEvent], Keys] = dict.fromkeys(kinds, _instance)

    def apply(self, state: State | None, entry: Entry) -> State | None:
        """The epochs of an instance after an event."""
        event = entry.event
        if state is None:
            # `standing` are the postings, by index, that are epochs of the instance now.
            state = {"postings": [], "standing": [], "final": 0}
        postings, standing = state["postings"], state["standing"]
        if isinstance(event, EpochSubmitted):
            before = postings[standing[-1]]["reasons"] if standing else 0
            standing.append(len(postings))
            postings.append(
                {
                    "epoch": event.epoch,
                    "aggregator": event.aggregator,
                    "header_hash": event.header_hash.hex(),
                    "header": binascii.b2a_base64(
                        b"".join(map(_word, event.header.as_tuple())), newline=False
                    ).decode(),
                    "reasons": event.header.slash_reasons,
                    # Only added to: the contract sees to that.
                    "new_reasons": event.header.slash_reasons ^ before,
                    "finalizable_at": event.finalizable_at,
                    "posted": entry.place,
                    "final": None,
                    "overturned": None,
                    "proof": None,
                }
            )
        elif isinstance(event, EpochFinalized):
            postings[standing[event.epoch - 1]]["final"] = entry.place
            state["final"] = event.epoch
        elif isinstance(event, EpochOverturned):
            postings[standing[event.epoch - 1]]["proof"] = [event.challenger, event.fraud_case]
            for index in standing[event.epoch - 1 :]:
                postings[index]["overturned"] = entry.place
            del standing[event.epoch - 1 :]
        return state


def _word(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.to_bytes(32, "big")
