"""The folds that turn events into clients, instances, slashes, demands, challengers and treasuries."""

from collections.abc import Sequence

from fedblocks.monitor.projections.challengers import Challengers
from fedblocks.monitor.projections.clients import Clients, ClientsV1
from fedblocks.monitor.projections.demands import Demands
from fedblocks.monitor.projections.epochs import Epochs
from fedblocks.monitor.projections.instances import Instances, InstancesV1
from fedblocks.monitor.projections.projection import Entry, PlaceJson, Projection, State, place_from
from fedblocks.monitor.projections.slashes import Slashes, SlashesV1
from fedblocks.monitor.projections.treasuries import Treasuries
from fedblocks.monitor.subject import Subject


def projections_of(subject: Subject) -> Sequence[Projection]:
    """The projections for a deployment's version."""
    if subject.version == 1:
        amount = subject.stake_amount
        return (ClientsV1(amount), InstancesV1(), SlashesV1(amount), Treasuries())
    return (Clients(), Instances(subject.clients_fee), Epochs(), Slashes(), Demands(), Challengers(), Treasuries())


__all__ = ["Entry", "PlaceJson", "Projection", "State", "place_from", "projections_of"]
