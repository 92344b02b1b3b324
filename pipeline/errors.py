"""The errors that people meet: each names the value, the rule that it breaks and what to do."""


class PipelineError(Exception):
    """Base of all errors that the command line shows as one message, without a traceback."""


class ParamsError(PipelineError):
    """params.yaml holds an unknown key or a value outside its rule."""


class SourceError(PipelineError):
    """The clips cannot be had: a source is missing, unreachable, broken or incomplete."""


class ClipError(PipelineError):
    """One clip cannot be used; its catalogue row says why and the run goes on without it."""


class ShardError(PipelineError):
    """A shard is missing, unreadable, or of another schema."""


class TrainingError(PipelineError):
    """Training cannot go on, for instance because the loss is not a number."""


class TrackingError(PipelineError):
    """MLflow is away where nothing can be done without it."""


class BundleError(PipelineError):
    """A bundle is missing, incomplete, of another schema, or does not fit the question."""


class StyleError(PipelineError):
    """A style, the weights it is seen by, or what is to be stylized cannot be used."""


class WorktreeError(PipelineError):
    """A run's work tree or branch cannot be made, or shared between machines."""
