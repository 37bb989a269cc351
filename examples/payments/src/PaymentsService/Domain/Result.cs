namespace PaymentsService.Domain
{
    /// <summary>Why a request was refused.</summary>
    public sealed class Error
    {
        public Error(string code, string message)
        {
            Code = code;
            Message = message;
        }

        public string Code { get; }

        public string Message { get; }
    }

    /// <summary>What a handler made of a request: a value, or the error that refused it.</summary>
    public sealed class Result<T>
    {
        private Result(bool isSuccess, T value, Error error)
        {
            IsSuccess = isSuccess;
            Value = value;
            Error = error;
        }

        public bool IsSuccess { get; }

        public T Value { get; }

        public Error Error { get; }

        public static Result<T> Success(T value)
        {
            return new Result<T>(true, value, null);
        }

        public static Result<T> Failure(string code, string message)
        {
            return new Result<T>(false, default(T), new Error(code, message));
        }
    }
}
