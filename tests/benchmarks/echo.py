"""The floor of a server: FastAPI that checks an order and gives it back. `python -m tests.benchmarks.echo PORT`."""

from __future__ import annotations

import sys
from typing import Annotated

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field

app = FastAPI()


class Order(BaseModel):
    side: str
    instrument: str
    quantity: Annotated[int, Field(ge=1)]
    limit_price: str
    targets: list[str]
    allow_duplicate: bool = False


@app.post("/api/v1/orders", status_code=201)
async def echo(order: Order) -> Order:
    return order


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="error")
