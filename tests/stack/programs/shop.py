"""Three agents of a shop, with everything that the boards ask for; CALLS, TOOLS … are what it does, for the tests to compare with."""

from __future__ import annotations

import logging
import time
from contextlib import suppress

import otel_agents as oa

logging.basicConfig(level="INFO")
logger = logging.getLogger("shop")
ORDERS = {"order-1": "tea", "order-2": "coffee", "order-3": "unheard of"}


@oa.memory("search", store="customers")
def remembered(order: str) -> list[str]:
    return ["likes tea", "pays late"] if order != "order-3" else []


@oa.memory("update", store="customers")
def remember(order: str) -> None:
    if order == "order-2":
        raise ConnectionError("the store of customers is away")


@oa.embedding(model="text-embedding-3-small", provider="openai")
def embed(text: str) -> list[float]:
    oa.current().usage(input_tokens=8)
    return [0.1, 0.2]


@oa.retriever("catalogue")
def catalogue(query: str) -> list[dict[str, str]]:
    embed(query)
    return [{"id": "1", "text": "tea"}]


@oa.tool
def price(article: str) -> float:
    time.sleep(0.02)
    return 4.5


@oa.tool
def stock(article: str) -> int:
    time.sleep(0.01)
    if article == "unheard of":
        raise LookupError(article)
    return 3


@oa.evaluator("polite")
def polite(answer: str) -> dict[str, object]:
    good = "order-1" in answer
    return {"score": 0.9 if good else 0.3, "label": "pass" if good else "fail", "explanation": f"it says {answer}"}


@oa.evaluator("short")
def short(answer: str) -> bool:
    return len(answer) < 40


@oa.llm(model="gpt-4o-mini", provider="openai")
def think(question: str, *, reason: str = "stop") -> str:
    time.sleep(0.05)
    oa.current().usage(input_tokens=1000, output_tokens=100, cache_read_input_tokens=400)
    oa.current().response(model="gpt-4o-mini-2024-07-18", finish_reasons=[reason])
    return f"an offer for {question}"


@oa.llm(model="house-7b", provider="house")
def check(question: str) -> str:
    if "order-3" in question:
        raise TimeoutError("the house model did not answer")
    oa.current().usage(input_tokens=50, output_tokens=5)
    oa.current().response(finish_reasons=["stop"])
    return "fine"


@oa.agent(name="seller")
def sell(order: str) -> str:
    remembered(order)
    logger.info("selling %s", ORDERS[order])
    with oa.step("look up"):
        catalogue(ORDERS[order])
        stock(ORDERS[order])
        price(ORDERS[order])
    answer = think(order, reason="length" if order == "order-2" else "stop")
    polite(answer)
    short(answer)
    return answer


@oa.agent(name="auditor")
def audit(order: str) -> str:
    return check(f"is {order} in order?")


for order in ORDERS:
    with oa.session(order, user="ann"):
        for _ in range(2):
            with suppress(LookupError):
                sell(order)
        with suppress(TimeoutError):
            audit(order)
        with suppress(ConnectionError):
            remember(order)
