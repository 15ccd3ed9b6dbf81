"""The tensor side of the gpu-worker: one process for the engine, one for the trainer. Text and HTTP live in TypeScript."""
