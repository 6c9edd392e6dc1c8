"""The demo's model: river's online linear regression, forecasting the water flow of the next hour."""

from typing import Final, Protocol, cast

from river import linear_model, preprocessing

from barograph_cli.demo.api.flows import TRAINING_HOURS, WEEK_HOURS, Reading, features_of

MODEL_NAME: Final = "water-flow"
_EPOCHS: Final = 3


class _Regressor(Protocol):
    """The methods of a river pipeline that we use; river comes without types."""

    def learn_one(self, x: dict[str, float], y: float) -> None: ...

    def predict_one(self, x: dict[str, float]) -> float: ...


class FlowModel:
    """Trained once at start, in some hundredths of a second, on the first 800 usable hours."""

    def __init__(self, readings: tuple[Reading, ...]) -> None:
        self._regressor = cast(_Regressor, preprocessing.StandardScaler() | linear_model.LinearRegression())
        for _ in range(_EPOCHS):
            for hour in range(WEEK_HOURS, TRAINING_HOURS):
                self._regressor.learn_one(features_of(readings, hour), readings[hour].flow_l_s)

    def predict(self, features: dict[str, float]) -> float:
        """Return the forecast in litres per second."""
        return float(self._regressor.predict_one(features))
