"""Training on megatron-core: one model over several ranks, the same batches and adapters as ../learner.py."""

import warnings

# What is missing (Apex, Transformer Engine) and what torch will rename, told by every rank at every start.
warnings.filterwarnings("ignore", category=UserWarning, module="megatron")
warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
# That a rank which reads by itself does so, told at every parent that is read.
warnings.filterwarnings("ignore", category=UserWarning, module="torch.distributed.checkpoint")
