"""Everything that is fuzzed. A new parser of outside data gets a line in the module of its kind."""

from tests.fuzz.parser import Parser
from tests.fuzz.parsers import (
    batches,
    events,
    items,
    local_cloud,
    picture_structures,
    policies,
    render_answers,
    rendered_pictures,
    results,
    settings,
    uploaded_images,
)

PARSERS: tuple[Parser, ...] = (
    *events.PARSERS,
    *results.PARSERS,
    *batches.PARSERS,
    *items.PARSERS,
    *policies.PARSERS,
    *settings.PARSERS,
    *uploaded_images.PARSERS,
    *rendered_pictures.PARSERS,
    *picture_structures.PARSERS,
    *render_answers.PARSERS,
    *local_cloud.PARSERS,
)
