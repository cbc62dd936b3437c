"""The same view through OpenGL (mujoco.Renderer), for machines that have it; ids and distances agree with the rays."""

import os
import sys
from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from apps.housekeep.simulator.camera import Raster
from apps.housekeep.simulator.mujoco_model import ApartmentModel
from apps.housekeep.simulator.protocol import Frame
from lmgt_core.errors import UserError


def lacks_display(environment: Mapping[str, str]) -> bool:
    """Whether MuJoCo's OpenGL would open a window (MUJOCO_GL is neither egl nor osmesa) where Linux has no display."""
    windowless = environment.get("MUJOCO_GL", "").lower().strip() in ("egl", "osmesa")
    display = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    return sys.platform == "linux" and not windowless and not display


def no_context(reason: str) -> UserError:
    """What to say when there is no OpenGL."""
    return UserError(
        f"renderer 'opengl': no OpenGL context ({reason}); set MUJOCO_GL=egl or osmesa, or use renderer 'rays'"
    )


class OpenGLView:
    """Renders one apartment's model; `close` frees the OpenGL context."""

    def __init__(self, built: ApartmentModel, raster: Raster) -> None:
        built.model.stat.extent = 10.0  # metres; the clipping planes below are in this unit
        built.model.vis.map.znear, built.model.vis.map.zfar = 0.002, 10.0
        built.model.vis.headlight.ambient[:], built.model.vis.headlight.diffuse[:] = 0.5, 0.45
        self._built = built
        self._ahead = raster.rays[raster.place, 2].reshape(raster.height, raster.width)
        if lacks_display(os.environ):  # MuJoCo would ask for a window all the same, and can abort the process then
            raise no_context("no display: neither DISPLAY nor WAYLAND_DISPLAY is set")
        try:
            self._renderer = mujoco.Renderer(built.model, raster.height, raster.width)
        except Exception as error:  # GLFW, EGL and OSMesa each raise their own kinds
            raise no_context(str(error).splitlines()[0] if str(error) else type(error).__name__) from error

    def image(self, eye: NDArray[np.float64], axes: NDArray[np.float64]) -> Frame:
        """The frame seen from `eye`; `axes` rows are right, up, forward."""
        model, data = self._built.model, self._built.data
        camera = model.camera("eye").id
        turned = np.stack([axes[0], axes[1], -axes[2]], axis=1)  # columns; a camera looks along its own -z
        model.cam_pos[camera] = eye
        mujoco.mju_mat2Quat(model.cam_quat[camera], turned.ravel())
        model.geom_group[:] = 0
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)
        return Frame(self._pass(), self._instances(), self._distance())

    def _pass(self) -> NDArray[Any]:
        self._renderer.update_scene(self._built.data, camera="eye")
        image: NDArray[Any] = self._renderer.render().copy()
        return image

    def _instances(self) -> NDArray[np.int32]:
        self._renderer.enable_segmentation_rendering()
        ids, kinds = np.moveaxis(self._pass(), -1, 0)
        self._renderer.disable_segmentation_rendering()
        geoms = np.where(kinds == mujoco.mjtObj.mjOBJ_GEOM, ids, -1)
        instances: NDArray[np.int32] = self._built.instances[geoms]
        return instances

    def _distance(self) -> NDArray[np.float32]:
        """Metres along the ray: OpenGL gives them along the camera's axis."""
        self._renderer.enable_depth_rendering()
        depth = self._pass()
        self._renderer.disable_depth_rendering()
        distance: NDArray[np.float32] = (depth / self._ahead).astype(np.float32)
        return distance

    def close(self) -> None:
        self._renderer.close()
