"""Fine-tuning a language model with LoRA, on the processor or a CUDA device (extra `train`).

Answers to one question are trained on side by side: the question is computed once, each answer
sees it and itself alone. That is how they are asked for as well, and costs a third.

Sources: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"; Loshchilov and Hutter
2019, "Decoupled Weight Decay Regularization".
"""

from __future__ import annotations

import io
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from msgspec import Struct

from premortem.domain.trained import Recipe
from premortem.errors import ModelError
from premortem.models.lessons import Lesson
from premortem.models.weights import LINEAR, adapter_file, library, read_weights

WARM_UP = 0.1
"""Of the steps, until the highest learning rate is reached."""
RATE_LEFT = 0.1
"""Of the highest learning rate, at the end."""
NORM_MAX = 1.0
"""Longer gradients are shortened to it."""
TEXT_TOKENS_MAX = 512
"""Of one answer; longer ones are not trained on."""
QUESTION_TOKENS_MAX = 1536
_OPENING = "<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n"
_ANSWER = "<|im_start|>assistant\n"
_TURN = "<|im_start|>"


class Stepped(Struct, frozen=True, kw_only=True):
    """One step was done."""

    step: int
    steps: int
    """That there will be."""
    loss: float
    """Nats per token of an answer."""
    tokens: int
    """Computed so far, questions included."""
    seconds: float
    """This command spent on steps so far."""
    left_s: float


class Pack(Struct, frozen=True, kw_only=True):
    """What one step computes: a question and answers to it, as token numbers."""

    question: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]

    @property
    def tokens(self) -> int:
        """All together."""
        return len(self.question) + sum(map(len, self.answers))


class Tuner:
    """A model with additions that learn; it is held in memory until it is let go."""

    def __init__(self, path: Path, recipe: Recipe) -> None:
        """Load PATH and add to it. Raises ModelMissing or ModelError."""
        self._torch = torch = library("torch")
        transformers, peft = library("transformers"), library("peft")
        torch.manual_seed(recipe.seed)
        weights = read_weights(path)
        if _TURN not in weights.tokenizer.get_vocab():
            raise ModelError(f"{path} was not made for conversations in ChatML; name another model")
        self._recipe, self._heads, self._end = recipe, weights.heads, weights.end
        self._tokenizer = weights.tokenizer
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        # Without instructions for it, bf16 is five times slower than float32 on a processor.
        halved = self._device == "cuda" or torch.backends.cpu.get_cpu_capability() == "AMX"
        self._kind = torch.bfloat16 if halved or _knows_bf16() else torch.float32
        with torch.device("meta"):
            model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**weights.settings))
        state = {name: torch.from_numpy(value) for name, value in weights.tensors.items()}
        model.load_state_dict(state, assign=True)
        model.tie_weights()
        model.model.rotary_emb = type(model.model.rotary_emb)(model.config)
        model.to(self._device, self._kind).requires_grad_(False)
        chosen = peft.LoraConfig(
            r=recipe.rank, lora_alpha=recipe.alpha, target_modules=list(LINEAR), lora_dropout=0.0
        )
        self._model = peft.inject_adapter_in_model(chosen, model)
        self._learning = {n: p for n, p in model.named_parameters() if p.requires_grad}
        for parameter in self._learning.values():
            parameter.data = parameter.data.float()
        self._optimizer = torch.optim.AdamW(
            list(self._learning.values()), lr=recipe.rate, weight_decay=0.01
        )
        self.step = 0
        """Steps done, those of earlier commands included."""
        self.tokens = 0

    @property
    def device(self) -> str:
        """Where it computes, in which numbers: `cpu float32`."""
        return f"{self._device} {str(self._kind).removeprefix('torch.')}"

    def packs(self, lessons: Sequence[Lesson], *, tokens: int = 0) -> list[Pack]:
        """LESSONS, cut to what one step computes: TOKENS, or what the recipe says.

        What is too long to be trained on is left out.
        """
        room = tokens or self._recipe.pack_tokens
        found: list[Pack] = []
        for lesson in lessons:
            question = self._question(lesson.system, lesson.user)
            if len(question) > QUESTION_TOKENS_MAX:
                continue
            taken: list[tuple[int, ...]] = []
            for text in lesson.answers:
                answer = self._answer(text)
                if len(answer) > TEXT_TOKENS_MAX:
                    continue
                held = len(question) + sum(map(len, taken))
                if taken and held + len(answer) > room:
                    found.append(Pack(question=question, answers=tuple(taken)))
                    taken = []
                taken.append(answer)
            if taken:
                found.append(Pack(question=question, answers=tuple(taken)))
        return found

    def train(
        self, packs: Sequence[Pack], *, clock: Callable[[], float] = time.monotonic
    ) -> Iterator[Stepped]:
        """One step for each of PACKS, from where it stands on. Ends early at the recipe's
        `seconds_max` and `steps_max`."""
        steps = min(len(packs), self._recipe.steps_max)
        begun, first = clock(), self.step
        self._model.train()
        while self.step < steps and clock() - begun < self._recipe.seconds_max:
            pack = packs[self.step]
            # Who has less time than steps still ends with small ones.
            gone = max(self.step / steps, (clock() - begun) / self._recipe.seconds_max)
            for group in self._optimizer.param_groups:
                group["lr"] = self._recipe.rate * _share(self.step, steps, gone)
            each = self._each(pack)
            loss = self._torch.cat(each).mean()
            loss.backward()
            self._torch.nn.utils.clip_grad_norm_(list(self._learning.values()), NORM_MAX)
            self._optimizer.step()
            self._optimizer.zero_grad(set_to_none=True)
            self.step += 1
            self.tokens += pack.tokens
            spent = clock() - begun
            yield Stepped(
                step=self.step,
                steps=steps,
                loss=float(loss.detach()),
                tokens=self.tokens,
                seconds=spent,
                left_s=spent / (self.step - first) * (steps - self.step),
            )

    def losses(self, packs: Sequence[Pack], *, tuned: bool = True) -> list[float]:
        """For each answer of PACKS the sum of its nats; without TUNED as the base model sees it."""
        self._model.eval()
        scales = self._scaled(1.0 if tuned else 0.0)
        try:
            with self._torch.inference_mode():
                return [float(one.sum()) for pack in packs for one in self._each(pack)]
        finally:
            for layer, scale in scales:
                layer.scaling = scale

    def loss(self, packs: Sequence[Pack]) -> float:
        """Nats per token of all answers in PACKS."""
        tokens = sum(len(answer) for pack in packs for answer in pack.answers)
        return sum(self.losses(packs)) / max(1, tokens)

    def saved(self) -> bytes:
        """Where training stands: to be loaded by `load` of another one."""
        buffer = io.BytesIO()
        half = self._torch.bfloat16
        held = {name: p.detach().clone() for name, p in self._learning.items()}
        optimizer = self._optimizer.state_dict()
        # The moments are averages over many steps; half the digits change nothing one could see.
        moments = {
            number: {k: v.to(half) if v.ndim else v for k, v in kept.items()}
            for number, kept in optimizer["state"].items()
        }
        kept = {"step": self.step, "tokens": self.tokens, "held": held, "moments": moments}
        self._torch.save(kept, buffer)
        return buffer.getvalue()

    def load(self, saved: bytes) -> None:
        """Go on from SAVED. Raises ModelError when it was of another recipe."""
        try:
            kept = self._torch.load(io.BytesIO(saved), weights_only=True)
            with self._torch.no_grad():
                for name, value in kept["held"].items():
                    self._learning[name].copy_(value)
        except (KeyError, RuntimeError, EOFError) as error:
            raise ModelError(
                f"the checkpoint does not fit the model ({error}); train anew, without --resume"
            ) from None
        state = self._optimizer.state_dict()
        state["state"] = {
            number: {k: v.float() for k, v in moments.items()}
            for number, moments in kept["moments"].items()
        }
        self._optimizer.load_state_dict(state)
        self.step, self.tokens = kept["step"], kept["tokens"]

    def adapter(self, name: str) -> bytes:
        """What was learned, as a GGUF file for llama.cpp."""
        found: dict[str, Any] = {}
        for full, parameter in self._learning.items():
            layer, _, rest = full.partition(".lora_")
            found[f"{layer}.lora_{rest[0].lower()}"] = parameter.detach().cpu().numpy()
        return adapter_file(found, alpha=self._recipe.alpha, heads=self._heads, name=name)

    def _each(self, pack: Pack) -> list[Any]:
        """For each answer the nats of its tokens."""
        torch = self._torch
        start = len(pack.question)
        ids, places = list(pack.question), list(range(start))
        for answer in pack.answers:
            ids += answer
            places += range(start, start + len(answer))
        seen = torch.ones((len(ids), len(ids)), dtype=torch.bool).tril()
        # Who says what comes first: the question's last token, then the answer's own.
        said: list[int] = []
        at = start
        for answer in pack.answers:
            seen[at : at + len(answer), start:at] = False
            said += [start - 1, *range(at, at + len(answer) - 1)]
            at += len(answer)
        hidden = self._model.model(
            input_ids=torch.tensor([ids], device=self._device),
            attention_mask=seen[None, None].to(self._device),
            position_ids=torch.tensor([places], device=self._device),
            use_cache=False,
        ).last_hidden_state[0, said]
        scores = torch.nn.functional.linear(hidden, self._model.lm_head.weight).float()
        wanted = torch.tensor(ids[start:], device=self._device)
        nats = torch.nn.functional.cross_entropy(scores, wanted, reduction="none")
        return list(nats.split([len(answer) for answer in pack.answers]))

    def _question(self, system: str, user: str) -> tuple[int, ...]:
        # As the chat template of these models has it.
        text = _OPENING.format(system=system, user=user) + _ANSWER
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _answer(self, text: str) -> tuple[int, ...]:
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return (*ids, self._end)

    def _scaled(self, share: float) -> list[tuple[Any, dict[str, float]]]:
        """Every addition, set to SHARE of its strength; with what it was before."""
        found = [m for m in self._model.modules() if isinstance(getattr(m, "scaling", None), dict)]
        before = [(layer, dict(layer.scaling)) for layer in found]
        for layer, scale in before:
            layer.scaling = {name: share * value for name, value in scale.items()}
        return before


def _share(step: int, steps: int, gone: float) -> float:
    """Of the highest learning rate, in STEP of STEPS: up in a line, then down in half a cosine as
    GONE, of the steps or of the time, comes to 1."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    turn = max(0.0, gone - WARM_UP) / (1 - WARM_UP)
    return RATE_LEFT + (1 - RATE_LEFT) * 0.5 * (1 + math.cos(math.pi * turn))


def _knows_bf16() -> bool:
    """Whether the processor multiplies bf16 itself."""
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def memory_bytes() -> int:
    """The most that this process had at once; 0 where the system does not say."""
    try:
        resource = import_module("resource")
    except ImportError:
        return 0
    most: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
