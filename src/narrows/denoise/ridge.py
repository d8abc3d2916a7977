"""Similar patches, combined linearly: a ridge regression in closed form.

Y = X + W `(k, n)`: the k similar patches of a group as rows, n pixels each. The noise W is
independent from pixel to pixel; d_i = Σ_j var(W_ij) is its energy in patch i (n σ² if all pixels
have the standard deviation σ), and D = diag(d). Among the estimates Θ Y the risk

    E ‖Θ Y - X‖² = ‖Θ X - X‖² + tr(Θ D Θᵀ)

is least at Θ = X Xᵀ A⁻¹ = I - D A⁻¹, A = X Xᵀ + D. Here the weights must also sum to 1, Θ 1 = 1:

    Θ = I - D (Q - q qᵀ / 1ᵀ q),      Q = A⁻¹,   q = Q 1

since the gradient 2 (Θ A - X Xᵀ) is then λ 1ᵀ, so that Θ = (A - D + λ 1ᵀ) Q, and Θ 1 = 1 gives
λ = D q / 1ᵀ q. As the weights sum to 1, nothing changes if one patch is subtracted from all rows;
it is their mean m, which keeps A well conditioned. X is not known:

    pass 1    A = Y Yᵀ, which is X Xᵀ + D in the mean
    pass 2    X = P, the same patches in the result of pass 1

In pass 2 there are often more patches than pixels in one. With Z = D^-½ (P - 1 mᵀ) and
N = Z (I + Zᵀ Z)⁻¹, a matrix of n x n to invert, the estimates of all patches are

    Θ Y = 1 mᵀ + D^½ N Zᵀ D^-½ (Y - 1 mᵀ)        m: the mean patch of Y, in Z that of P

which is the same Θ where all d_i are equal, and else has weights that sum to 1 all the same.

An estimate is weighted by the inverse of its variance for the same noise in all patches,

    1 / ‖Θ_i‖²,      in pass 2 ‖Θ_i‖² = 1/k + z_i · n_i - ‖n_i‖²

Reference: S. Herbreteau, C. Kervrann, "A unified framework of non-local parametric methods for
image denoising", SIAM Journal on Imaging Sciences 18(1), 2025, https://arxiv.org/abs/2402.13816
(NL-Ridge).
"""

import torch
from torch import Tensor

ADDED = 0.01  # of D, to A of pass 1, whose lowest eigenvalues are those of chance
ROUNDING = 1e-6  # of the trace of A, added to it: what is much less is lost in float32
MOST = 1.3  # what pass 1 may take out, of what it takes out of noise alone
SMALL = 24  # rows of a matrix that LAPACK inverts; larger ones are cut in four


def combine_noisy(noisy: Tensor, energy: Tensor) -> tuple[Tensor, Tensor]:
    """Pass 1: the estimates of groups of noisy patches `(..., k, n)`, and their weights `(..., k)`.

    energy: d `(..., k)`, above 0. Less its mean patch a group has nothing in the direction of 1, and
    Y Yᵀ cannot be inverted. So a multiple of 1 1ᵀ is added to it, which changes nothing: it is what
    another patch than the mean, subtracted from all rows, would have left.
    """
    centred = noisy - noisy.mean(-2, keepdim=True)
    A = centred @ centred.mT
    trace = _trace(A)
    A += (trace / A.shape[-1] ** 2)[..., None]
    A.diagonal(dim1=-2, dim2=-1).add_(ADDED * energy + ROUNDING * trace)
    theta = _limited(combination_weights(A, energy), noisy.shape[-1])
    return theta @ noisy, 1 / theta.square().sum(-1)


def combination_weights(A: Tensor, energy: Tensor) -> Tensor:
    """Θ = I - D (Q - q qᵀ / 1ᵀ q) `(..., k, k)`, Q = A⁻¹; its rows sum to 1.

    A: symmetric, positive definite `(..., k, k)`. energy: d `(..., k)`.
    """
    Q = inverse(A)
    q = Q.sum(-1, keepdim=True)
    theta = (Q - q @ (q / q.sum(-2, keepdim=True)).mT).mul_(-energy[..., None])
    theta.diagonal(dim1=-2, dim2=-1).add_(1)
    return theta


def combine_with_pilot(noisy: Tensor, pilot: Tensor, energy: Tensor) -> tuple[Tensor, Tensor]:
    """Pass 2: the estimates of groups of noisy patches `(..., k, n)`, and their weights `(..., k)`.

    pilot: the same patches in the result of pass 1. energy: d `(..., k)`, above 0.
    """
    scale = energy.rsqrt()[..., None]
    mean = noisy.mean(-2, keepdim=True)
    Z = (pilot - pilot.mean(-2, keepdim=True)).mul_(scale)
    A = Z.mT @ Z
    A.diagonal(dim1=-2, dim2=-1).add_(1 + ROUNDING * _trace(A))
    N = Z @ inverse(A)
    estimates = N @ (Z.mT @ (noisy - mean).mul_(scale))
    norms = torch.linalg.vecdot(N, Z - N) + 1 / noisy.shape[-2]
    return estimates.div_(scale).add_(mean), 1 / norms


def _limited(theta: Tensor, pixels: int) -> Tensor:
    """Weights of pass 1 that do not take out much more than all: I - c (I - Θ), c ≤ 1.

    tr(I - Θ) is k - 1 if a group becomes its mean. Of noise alone it is (k - 1) n / (n - k), as the
    eigenvalues of Y Yᵀ scatter. If more than `MOST` times that would go, the noise is weaker than it
    is said to be, and the estimates would be the negative of the details.
    """
    count = theta.shape[-1]
    removed = count - _trace(theta)
    most = MOST * (count - 1) * pixels / (pixels - count)
    kept = (most / removed).clamp(max=1)
    theta = theta * kept[..., None]
    theta.diagonal(dim1=-2, dim2=-1).add_(1 - kept)
    return theta


def inverse(A: Tensor) -> Tensor:
    """The inverses of symmetric positive definite matrices `(..., k, k)`.

    A large one is cut in four, and its inverse is, with V = B₁₁⁻¹ B₁₂ and S = B₂₂ - B₂₁ V,

        [B₁₁⁻¹ + V S⁻¹ Vᵀ    -V S⁻¹]
        [-S⁻¹ Vᵀ                S⁻¹]

    since products of a stack of matrices are several times faster than LAPACK on each.
    """
    size = A.shape[-1]
    if size <= SMALL:
        return torch.cholesky_inverse(torch.linalg.cholesky_ex(A).L)
    half = size // 2
    corner = inverse(A[..., :half, :half])
    V = corner @ A[..., :half, half:]
    rest = inverse(A[..., half:, half:] - A[..., half:, :half] @ V)
    result = torch.empty_like(A)
    VS = V @ rest
    result[..., :half, :half] = corner + VS @ V.mT
    result[..., :half, half:] = -VS
    result[..., half:, :half] = -VS.mT
    result[..., half:, half:] = rest
    return result


def _trace(matrices: Tensor) -> Tensor:
    """Of matrices `(..., k, k)`: `(..., 1)`."""
    return matrices.diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True)
