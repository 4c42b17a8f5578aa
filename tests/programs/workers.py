"""A program whose work is done by three processes: itself, a forked child, a spawned one. Each runs the agent once."""

import multiprocessing

import otel_agents as oa


@oa.llm(model="gpt-4o", provider="openai")
def ask(question):
    oa.current().usage(input_tokens=10, output_tokens=5)
    return question


@oa.agent(name="worker")
def run(question="why?"):
    return ask(question)


if __name__ == "__main__":
    run()
    for method in ("fork", "spawn"):
        child = multiprocessing.get_context(method).Process(target=run)
        child.start()
        child.join()
        assert child.exitcode == 0
