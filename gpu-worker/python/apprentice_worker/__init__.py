"""The tensor side of the gpu-worker: an engine process and a trainer process. Text and HTTP live in TypeScript."""
