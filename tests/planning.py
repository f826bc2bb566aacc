"""A plan in one step, for tests of what comes after it."""

from audiopipe import plan


def written(*arguments, **keywords):
    work, sources = plan.make(*arguments, **keywords)
    work.write(sources)
    return work
